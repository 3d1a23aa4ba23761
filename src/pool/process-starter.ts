import type { DeathWatch } from './death-watch.ts';
import type { NamedWorkspaces } from './named-workspaces.ts';
import type { Slot, Slots } from './slots.ts';
import type { Spare, SpareFolder, SpareWish } from './spares.ts';
import { StartBreaker } from './start-breaker.ts';
import type {
  AgentDriver,
  AgentOptions,
  AgentProcess,
  AgentSpec,
  TakeUp,
} from '../contracts/agent-driver.ts';
import type { Answerer } from '../contracts/answerer.ts';
import type { Host } from '../contracts/host.ts';
import type { SessionRow, SessionStore } from '../contracts/session-store.ts';
import { asRoundhouseError, errorText, RoundhouseError } from '../errors.ts';
import { newAgentSessionId, newClientId, newSessionId } from '../events/ids.ts';
import { fingerprint, mergeOptions } from '../session/agent-options.ts';
import type { ConnectRequest, Connection, Connector } from '../session/connector.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { monotonicMs } from '../time/clock.ts';
import { after, sleep } from '../time/timers.ts';

/** Pause before a further attempt to start a process: doubled each time, with up to half of it at random on top. */
const RETRY_FIRST_MS = 200;

/**
 * How long a start counts among those that go on at once. They are limited for the CPU that they need, 1 to 3 s of it; one
 * that takes longer is waiting for something, and must not keep others from starting.
 */
const START_COUNTS_MS = 5_000;

/** A prepared process that has not taken its folder by then is given up: to start another would be as fast. */
const BIND_LIMIT_MS = 5_000;

export interface ProcessStarterParts {
  readonly driver: AgentDriver;
  readonly host: Host;
  readonly store: SessionStore;
  readonly answerer: Answerer;
  readonly workspaces: NamedWorkspaces;
  /** Processes at once, those that start included. */
  readonly slots: Slots;
  /** Starts at once: starting costs CPU, so never more than there are cores. */
  readonly starts: Slots;
  /** Whether a process of these options, which nobody needs any more, is of use to the next one who comes. */
  readonly isWelcome: (wish: SpareWish) => boolean;
  /** Told of processes that die by themselves; it slows starts down when they are too many. */
  readonly deaths: DeathWatch;
  readonly attempts: number;
  /** Options under those of every session. They are not stored: a change holds for known sessions too. */
  readonly defaultAgent?: AgentOptions;
  readonly variablesOf?: VariablesOf;
  readonly telemetry: Telemetry;
}

/**
 * Variables that the processes of a session get, asked for before each start and kept nowhere; undefined where it has none.
 * Where it rejects no process is started.
 */
export type VariablesOf = (
  session: Pick<SessionRow, 'tenant' | 'id' | 'name'>,
) => Promise<AgentSpec['variables']>;

/** What a process is started for. */
interface Launch {
  readonly sessionId: string;
  readonly agentSessionId: string;
  /** Undefined when it comes later. */
  readonly workspace: string | undefined;
  readonly options: AgentOptions;
  readonly variables?: NonNullable<AgentSpec['variables']>;
  readonly resume: boolean;
  /** What the agent is, where the process begins a conversation. */
  readonly generation?: string;
  readonly takeUp?: TakeUp;
  readonly ahead?: boolean;
}

/** Gives sessions their processes. The slot of a process goes back when the process, and all it started, is gone. */
export class ProcessStarter implements Connector {
  readonly #parts: ProcessStarterParts;
  readonly #breaker = new StartBreaker();
  #owned = 0;

  constructor(parts: ProcessStarterParts) {
    this.#parts = parts;
  }

  /** Processes that have started and are not gone. */
  get owned(): number {
    return this.#owned;
  }

  async connect(request: ConnectRequest, signal: AbortSignal): Promise<Connection> {
    const { name: sessionId, tenant } = request.row;
    const sinceMs = monotonicMs();
    const slot = await this.#slotFor(request, signal);
    const waitMs = Math.round(monotonicMs() - sinceMs);
    // The metric has no key: this line tells whose wait it was.
    this.#parts.telemetry.log.debug?.('session_slot_granted', { sessionId, tenant, waitMs });
    const timeout = new AbortController();
    const timer = after(request.startMs, () => {
      const message = `${failure(request)}: the agent process was not ready within ${request.startMs} ms. Retry, or raise pool.limits.startMs.`;
      timeout.abort(new RoundhouseError('session_connection_failed', message));
    });
    try {
      const connection = await this.#startWithin(
        request,
        AbortSignal.any([signal, timeout.signal]),
      );
      void connection.process.exited.then(() => slot.release());
      return connection;
    } catch (error) {
      slot.release();
      throw error;
    } finally {
      timer.cancel();
    }
  }

  /**
   * Starts a process for a session that does not exist yet, if that makes nobody wait: undefined when no slot is free, or
   * no room to start in besides one for somebody who comes now, or processes keep dying, or the driver can't.
   */
  prepare(options: AgentOptions, folder: SpareFolder): Promise<Spare> | undefined {
    const { slots, deaths, driver } = this.#parts;
    if (deaths.reason !== undefined) return undefined;
    if (folder === 'named' && !driver.capabilities.lateWorkspace) return undefined;
    const slot = slots.tryAcquire();
    const start = slot && this.#freeStart();
    if (slot !== undefined && start === undefined) slot.release();
    if (slot === undefined || start === undefined) return undefined;
    return this.#prepare(options, folder, slot).finally(() => start.release());
  }

  /** Gives a prepared process the folder that its session works in. Rejects, and it is gone, when it does not take it. */
  async bind({ connection }: Spare, workspace: string): Promise<void> {
    const timeout = new AbortController();
    const timer = after(BIND_LIMIT_MS, () => {
      const message = `The agent process did not take the workspace within ${BIND_LIMIT_MS} ms.`;
      timeout.abort(new RoundhouseError('session_connection_failed', message));
    });
    try {
      await connection.process.bind({ workspace }, timeout.signal);
    } finally {
      timer.cancel();
    }
  }

  async #slotFor(request: ConnectRequest, signal: AbortSignal): Promise<Slot> {
    const { slots, deaths } = this.#parts;
    if (!request.onlyIfFree) {
      return slots.acquire({
        signal: AbortSignal.any([signal, request.unneeded]),
        tenant: request.row.tenant,
        priority: request.priority,
      });
    }
    const slot = deaths.reason === undefined ? slots.tryAcquire() : undefined;
    if (slot === undefined) throw notFree(request);
    return slot;
  }

  /** Room to start in, besides one for somebody who comes now. */
  #freeStart(): Slot | undefined {
    const { starts } = this.#parts;
    return starts.tryAcquire(starts.capacity > 1 ? 1 : 0);
  }

  async #prepare(options: AgentOptions, folder: SpareFolder, slot: Slot): Promise<Spare> {
    const { host, driver } = this.#parts;
    const sessionId = newSessionId();
    const agentSessionId = newAgentSessionId();
    try {
      const generation = await driver.generation();
      const workspace = folder === 'own' ? await host.createWorkspace(sessionId) : undefined;
      try {
        const connection = await this.#launch(
          {
            sessionId,
            agentSessionId,
            workspace,
            options,
            resume: false,
            generation,
            ahead: true,
          },
          new AbortController().signal,
        );
        void connection.process.exited.then(() => slot.release());
        await connection.process.warmUp?.();
        const readyAtMs = monotonicMs();
        return { sessionId, agentSessionId, workspace, connection, generation, readyAtMs };
      } catch (error) {
        if (workspace !== undefined) await host.removeWorkspace(workspace);
        throw error;
      }
    } catch (error) {
      slot.release();
      throw error;
    }
  }

  async #startWithin(request: ConnectRequest, signal: AbortSignal): Promise<Connection> {
    const given = AbortSignal.any([signal, request.unneeded]);
    await this.#rescue(request);
    // The start itself needs time too.
    await this.#parts.deaths.waitToStart(given, request.startMs / 2);
    for (let attempt = 1; ; attempt += 1) {
      given.throwIfAborted();
      const start = request.onlyIfFree
        ? this.#freeStart()
        : await this.#parts.starts.acquire({ signal: given });
      if (start === undefined) throw notFree(request);
      const lapse = after(START_COUNTS_MS, () => start.release());
      try {
        return await this.#start(request, signal);
      } catch (error) {
        if (given.aborted) throw given.reason;
        const failed = asRoundhouseError(error, 'session_connection_failed');
        this.#parts.telemetry.log.warn('session_start_failed', {
          sessionId: request.row.name,
          id: request.row.id,
          attempt,
          code: failed.code,
          error: errorText(failed.cause ?? failed),
        });
        const attempts = request.takeUp === undefined ? this.#parts.attempts : 1;
        if (attempt >= attempts || failed.code !== 'session_connection_failed') throw failed;
      } finally {
        lapse.cancel();
        start.release();
      }
      const pauseMs = RETRY_FIRST_MS * 2 ** (attempt - 1);
      await sleep(pauseMs * (1 + Math.random() / 2), given, { keepAlive: true });
    }
  }

  async #start(request: ConnectRequest, signal: AbortSignal): Promise<Connection> {
    const { driver, store } = this.#parts;
    const { row, options } = request;
    const { id: sessionId, agentSessionId } = row;
    const workspace = await this.#workspaceOf(row);
    const variables = await this.#parts.variablesOf?.(row);
    const launch = {
      sessionId,
      agentSessionId,
      workspace,
      options,
      ...(variables !== undefined && { variables }),
    };
    const subpaths = await store.transcripts.listSubpaths(agentSessionId);
    const resume = subpaths.includes('');
    if (resume || request.takeUp !== undefined) {
      const given = AbortSignal.any([signal, request.unneeded]);
      const takeUp = await this.#takeUpOf(request);
      return this.#launch(
        { ...launch, resume: true, ...(takeUp !== undefined && { takeUp }) },
        given,
      );
    }
    const generation = await driver.generation();
    return this.#launch(
      { ...launch, resume: false, generation },
      AbortSignal.any([signal, this.#useless(request)]),
    );
  }

  async #takeUpOf({ row, takeUp }: ConnectRequest): Promise<TakeUp | undefined> {
    if (takeUp === undefined) return undefined;
    const { driver, store } = this.#parts;
    const { agentSessionId } = row;
    return takeUp.choose(
      await driver.openCalls(agentSessionId, store.transcripts, takeUp.neverHanded),
    );
  }

  /** Aborts when nobody needs the process of a new conversation, nor would anybody who comes later. */
  #useless({ row, options, unneeded }: ConnectRequest): AbortSignal {
    const useless = new AbortController();
    const look = (): void => {
      // In a folder that its caller has named it is of use to nobody else.
      if (!row.ownsWorkspace || !this.#parts.isWelcome({ options, tenant: row.tenant }))
        useless.abort(unneeded.reason);
    };
    if (unneeded.aborted) look();
    else unneeded.addEventListener('abort', look, { once: true });
    return useless.signal;
  }

  /** A folder that a caller named is looked at before each start: it may be gone, lead elsewhere, or be forbidden by now. */
  async #workspaceOf(row: SessionRow): Promise<string> {
    if (row.ownsWorkspace) return row.workspace;
    return this.#parts.workspaces.find(row.tenant, row.workspace);
  }

  async #launch({ workspace, ...launch }: Launch, signal: AbortSignal): Promise<Connection> {
    const { driver, host, store, answerer, telemetry, defaultAgent } = this.#parts;
    const clientId = newClientId();
    const sinceMs = monotonicMs();
    const kind = launch.ahead === true ? 'spare' : launch.resume ? 'resumed' : 'new';
    const key = fingerprint(launch.options);
    this.#breaker.check(key);
    const processFolder = await host.createProcessFolder(clientId);
    let process: AgentProcess;
    try {
      process = await driver.start(
        {
          ...launch,
          ...(workspace !== undefined && { workspace }),
          clientId,
          processFolder,
          options: mergeOptions(defaultAgent ?? {}, launch.options),
          transcripts: store.transcripts,
          answerer,
        },
        signal,
      );
    } catch (error) {
      telemetry.metrics.count('roundhouse_process_starts_total', { kind, outcome: 'failed' });
      if (signal.aborted) this.#breaker.abandoned(key);
      else this.#breaker.failed(key, asRoundhouseError(error, 'session_connection_failed'));
      await host.forgetProcess(clientId, processFolder);
      throw error;
    }
    this.#breaker.succeeded(key);
    telemetry.metrics.count('roundhouse_process_starts_total', { kind, outcome: 'ready' });
    const seconds = (monotonicMs() - sinceMs) / 1000;
    telemetry.metrics.observe('roundhouse_start_seconds', seconds, { kind });
    this.#owned += 1;
    void this.#followToEnd(process, launch.sessionId, processFolder);
    const { generation, takeUp } = launch;
    return {
      clientId,
      process,
      processFolder,
      ...(generation !== undefined && { generation }),
      ...(takeUp !== undefined && { takeUp }),
    };
  }

  async #followToEnd(process: AgentProcess, id: string, processFolder: string): Promise<void> {
    const { host, deaths, telemetry } = this.#parts;
    const exit = await process.exited;
    this.#owned -= 1;
    if (exit.reason === undefined) deaths.noteDeath();
    const cause = exit.reason ?? exit.signal ?? `code ${exit.code}`;
    telemetry.metrics.count('roundhouse_process_exits_total', { cause });
    try {
      // The folder of a process whose transcript did not reach the store is the only copy: it stays until it is rescued.
      if (!exit.transcriptStale) await host.forgetProcess(process.clientId, processFolder);
    } catch (error) {
      telemetry.log.warn('process_folder_left', { id, processFolder, error: errorText(error) });
    }
  }

  async #rescue(request: ConnectRequest): Promise<void> {
    const { row } = request;
    if (row.staleTranscriptFolder === null) return;
    const { driver, store, host, telemetry } = this.#parts;
    await driver.rescueTranscript(row.staleTranscriptFolder, row.agentSessionId, store.transcripts);
    await request.transcriptRescued();
    await host.removeProcessFolder(row.staleTranscriptFolder);
    telemetry.log.info('session_transcript_rescued', { sessionId: row.name, id: row.id });
  }
}

function failure(request: ConnectRequest): string {
  return `Failed to establish session connection: ${request.row.name}`;
}

function notFree({ row }: ConnectRequest): RoundhouseError {
  return new RoundhouseError(
    'pool_at_capacity',
    `No process is free for session ${row.name}, for which nobody waits.`,
  );
}
