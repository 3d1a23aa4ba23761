import type { SessionDeleted } from './deletion.ts';
import type { ForkRequest } from './forking.ts';
import { Handover } from './handover.ts';
import { KnownSessions, notFound } from './known-sessions.ts';
import { NamedWorkspaces, refuseOtherWorkspace, type WorkspaceRules } from './named-workspaces.ts';
import type { PoolOptions } from './options.ts';
import { Population } from './population.ts';
import { poolStats, type PoolStats } from './pool-stats.ts';
import type { VariablesOf } from './process-starter.ts';
import { Processes } from './processes.ts';
import type { RecoveryResult } from './recovery.ts';
import { Retention } from './retention.ts';
import type { SessionInfo } from './session-info.ts';
import type { CheckedRequest, IdentifiedSession, SessionRequest } from './session-request.ts';
import { Tenants, type TenantLimits } from './tenants.ts';
import { transcriptPages, type TranscriptPart } from './transcript-pages.ts';
import type { AgentDriver, AgentOptions } from '../contracts/agent-driver.ts';
import type { Answerer } from '../contracts/answerer.ts';
import type { Host } from '../contracts/host.ts';
import type { EventPage, SessionRow, SessionStore } from '../contracts/session-store.ts';
import { asRoundhouseError, RoundhouseError } from '../errors.ts';
import type { LogItem } from '../events/preview.ts';
import type { EventRecord } from '../events/record.ts';
import { DEFAULT_TAIL_LIMITS, type TailLimits } from '../log/tail.ts';
import { checkedLimits } from '../session/limits.ts';
import type { ClientAnswer } from '../session/awaited-answers.ts';
import type { BudgetOf } from '../session/session-budget.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { TurnPhase } from '../session/stream-handle.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { withinDeadline } from '../time/deadline.ts';

/** What a pool works with. `compose.ts` puts it together. */
export interface SessionPoolParts {
  /** `maxProcesses` and `maxStarts` resolved: they depend on the machine. */
  readonly options: PoolOptions & { readonly maxProcesses: number; readonly maxStarts: number };
  readonly driver: AgentDriver;
  readonly store: SessionStore;
  readonly host: Host;
  readonly answerer: Answerer;
  readonly telemetry: Telemetry;
  /** This host's name, as the owner of its sessions. */
  readonly owner: string;
  readonly tailLimits?: TailLimits;
  /** What each tenant may use of what all share. Default: the same for all. */
  readonly tenantLimits?: ReadonlyMap<string, TenantLimits>;
  /** Folders that callers may name. Default: none. */
  readonly workspaces?: WorkspaceRules;
  /** Options under those of every session. They are not stored: a change holds for known sessions too. */
  readonly defaultAgent?: AgentOptions;
  /** What the processes of a session get in their environment; default: nothing. Asked for before each start. */
  readonly variablesOf?: VariablesOf;
  /** The most that a session may cost, asked for before a process is started, and before, in and after each turn; default: no bound. */
  readonly budgetOf?: BudgetOf;
  /** Told of each session that was deleted, when it has left the store. */
  readonly deleted?: SessionDeleted;
}

const DEFAULT_TENANT = 'default';

/**
 * Live agent processes, addressed by session id. A session is data in the store; a process is a cache of it that the pool
 * takes and gives back as it needs. The order in which it decides is rows S1 to S18 of `docs/session-lifecycle.md`.
 */
export class SessionPool {
  readonly #parts: SessionPoolParts;
  readonly #workspaces: NamedWorkspaces;
  readonly #processes: Processes;
  readonly #handover: Handover;
  readonly #population: Population;
  readonly #known: KnownSessions;
  readonly #retention: Retention;
  #refusal: RoundhouseError | undefined;
  #closing: Promise<void> | undefined;
  readonly #hurry = Promise.withResolvers<void>();
  #recovering: Promise<void> = Promise.resolve();

  constructor(parts: SessionPoolParts) {
    this.#parts = parts;
    const { options, host, telemetry } = parts;
    const tenants = new Tenants(parts.tenantLimits);
    this.#workspaces = new NamedWorkspaces(parts.workspaces ?? {}, host);
    this.#processes = new Processes({
      ...parts,
      workspaces: this.#workspaces,
      tenants,
    });
    this.#handover = new Handover({
      ...options,
      take: (client, reason) => this.#processes.take(client, reason),
      telemetry,
    });
    this.#population = new Population({ ...parts, processes: this.#processes, tenants });
    this.#known = new KnownSessions({
      store: parts.store,
      resident: (tenant, name) => this.#population.get(tenant, name),
      hasUndelivered: (sessionId) => this.#population.hasUndelivered(sessionId),
    });
    this.#retention = new Retention({
      ...options,
      store: parts.store,
      clients: () => this.#population.clients(),
      telemetry,
    });
  }

  /**
   * Puts in order what an earlier host left. Call once, before the first session is asked for, and
   * {@link SessionPool.resumePrompts} when the start has succeeded.
   */
  recover(): Promise<RecoveryResult> {
    return this.#population.recover();
  }

  /**
   * Runs, in the background, the prompts that an earlier host accepted and never delivered. Those of a session that is asked
   * for before its turn run then, ahead of what its callers prompt.
   */
  resumePrompts(): void {
    this.#recovering = this.#population.resumePrompts();
  }

  /**
   * Gives out the session of that id: the resident one, or one resumed from the store, or a new one. When it returns, a
   * process is connected or a turn is under way; it waits on this session's own affairs only. A busy, healthy session is
   * returned at once: queueing, or refusing, is `prompt`'s. One that has nothing left of its budget gets no process.
   *
   * Rejects with `pool_disabled`, `invalid_request`, `pool_at_capacity`, `queue_full`, `draining`, `session_connection_failed`,
   * `agent_unavailable`, `session_limit_reached`, `storage_failed`, `session_ended` when the session is deleted meanwhile, or
   * the signal's reason; where a folder was named also with `workspace_not_allowed`, `workspace_unavailable`, and
   * `unsupported_field` when the session works elsewhere.
   */
  async getSessionClient(sessionId: string, request: SessionRequest = {}): Promise<SessionClient> {
    const { telemetry, options } = this.#parts;
    const { log } = telemetry;
    const tenant = request.tenant ?? DEFAULT_TENANT;
    const currentSessions = this.#population.size;
    log.debug?.('session_pool_get_client_start', {
      sessionId,
      poolEnabled: options.enabled,
      currentSessions,
      maxSessions: options.maxSessions,
      sessionExists: this.#population.get(tenant, sessionId) !== undefined,
    });
    if (!options.enabled) {
      log.error('session_pool_disabled', { sessionId });
      throw new RoundhouseError('pool_disabled', 'Session pool is disabled');
    }
    try {
      if (this.#refusal !== undefined) throw this.#refusal;
      request.signal?.throwIfAborted();
      const client = await this.#giveOut(tenant, sessionId, request);
      log.debug?.('session_pool_get_client_complete', {
        sessionId,
        clientId: client.clientId,
        sessionStatus: client.status,
        sessionAgeSeconds: client.ageSeconds,
        sessionMessageCount: client.row.turnCount,
      });
      return client;
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      const refusal = asRoundhouseError(error);
      telemetry.metrics.count('roundhouse_refusals_total', { code: refusal.code });
      if (refusal.code === 'pool_at_capacity' || refusal.code === 'queue_full') {
        log.error('session_pool_at_capacity', {
          sessionId,
          currentSessions,
          maxSessions: options.maxSessions,
          maxProcesses: options.maxProcesses,
        });
      }
      throw refusal;
    }
  }

  /**
   * Makes a session whose name is its id, and waits for no process: a prepared one is taken if it is ready, else the first
   * prompt starts one. Rejects with `pool_disabled`, `draining`, `session_limit_reached`,
   * `storage_failed`, what {@link IdentifiedSession.announce} rejects with, and where a folder was named also with
   * `invalid_request`, `workspace_not_allowed` and `workspace_unavailable`.
   */
  async createSession(request: IdentifiedSession): Promise<SessionRow> {
    this.#checkEnabled();
    const { tenant, agent, limits, mayTakeSpare, announce } = request;
    const workspace =
      request.workspace === undefined
        ? undefined
        : await this.#workspaces.find(tenant, request.workspace);
    if (this.#refusal !== undefined) throw this.#refusal;
    return this.#population.createIdentified({
      tenant,
      options: agent,
      limits: checkedLimits(limits) ?? {},
      workspace,
      mayTakeSpare,
      announce,
    });
  }

  /**
   * Makes a session that begins as a copy of a known one, under its id as its name, and waits for no process. The two go on
   * independently. Rejects with `session_not_found`, `pool_disabled`, `draining`, `workspace_not_allowed` and
   * `workspace_unavailable` for a folder that was named, and what {@link Forking.fork} rejects with.
   */
  async forkSession(tenant: string, name: string, request: ForkRequest): Promise<SessionRow> {
    this.#checkEnabled();
    const source = await this.#known.get(tenant, name);
    if (!source.ownsWorkspace) await this.#workspaces.find(tenant, source.workspace);
    if (this.#refusal !== undefined) throw this.#refusal;
    return this.#population.fork(source, request);
  }

  /**
   * A known session, brought into memory without a process: for what needs none, or gets one by itself, as a prompt does.
   * Rejects with `session_not_found`, `draining`, and what a place in memory is refused with.
   */
  async findClient(tenant: string, name: string, signal?: AbortSignal): Promise<SessionClient> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const client = await this.#population.find(tenant, name, signal);
    if (client === undefined) throw notFound(name);
    return client;
  }

  /** Sessions of a tenant that the store knows, newest first. `limit` 1 to 1000. */
  listSessions(
    tenant: string,
    query: { limit: number; after?: string },
  ): Promise<{ sessions: SessionInfo[]; next: string | null }> {
    return this.#known.list(tenant, query);
  }

  /** A tenant's sessions that run a turn or have one waiting, by id, with the phase of the first. */
  busySessions(tenant: string): ReadonlyMap<string, TurnPhase> {
    return this.#population.busy(tenant);
  }

  async getSessionInfo(tenant: string, name: string): Promise<SessionInfo | undefined> {
    const row = await this.#known.find(tenant, name);
    return row && this.#known.info(row);
  }

  /**
   * Records after a number, in order, at most `limit`. When the first one is not the next number, those between are gone
   * (`pool.retention`). `session_not_found`.
   */
  async readEvents(
    tenant: string,
    name: string,
    query: { after: number; limit: number },
  ): Promise<EventRecord[]> {
    const row = await this.#known.get(tenant, name);
    return this.#parts.store.readEvents(row.id, query.after, query.limit);
  }

  /**
   * The same in pages that one reader can hold: at most `limit` (1 to 10,000), and no more of them than the bytes that may wait
   * for a reader (`tailLimits`), the first excepted. `next` is the `after` of the next page. `session_not_found`.
   */
  async listEvents(
    tenant: string,
    name: string,
    { after, limit }: { after: number; limit: number },
  ): Promise<EventPage> {
    const { store, tailLimits = DEFAULT_TAIL_LIMITS } = this.#parts;
    const { id } = await this.#known.get(tenant, name);
    const { maxBytes } = tailLimits;
    return store.listEvents(id, { order: 'asc', beyond: after, limit, maxBytes });
  }

  /**
   * Records after a number, then what happens. The session needs no process for it; with `warmOnRead` it gets one, in the
   * background, where a slot is free. `session_not_found`.
   */
  async followEvents(
    tenant: string,
    name: string,
    query: { after: number; signal?: AbortSignal },
  ): Promise<AsyncIterable<LogItem>> {
    const client = await this.findClient(tenant, name, query.signal);
    if (this.#parts.options.warmOnRead) client.warmIfFree();
    return client.read(query);
  }

  /** What the agent knows of the session, as it is in the store, in its own form and in parts. `session_not_found`. */
  async readTranscript(tenant: string, name: string): Promise<AsyncIterable<TranscriptPart>> {
    const { agentSessionId } = await this.#known.get(tenant, name);
    return transcriptPages(this.#parts.store.transcripts, agentSessionId);
  }

  /** Interrupts what the session runs, and waits for its end. False when nothing was running. `session_not_found`. */
  async interruptSession(tenant: string, name: string): Promise<boolean> {
    const client = this.#population.get(tenant, name);
    if (client !== undefined) return client.interrupt();
    const { id } = await this.#known.get(tenant, name);
    if (!this.#population.waits(id)) return false;
    // An earlier host left it waiting for its client.
    return (await this.#population.find(tenant, name))?.interrupt() ?? false;
  }

  /**
   * Answers calls of a session that wait for its client; see {@link SessionClient.answer}. It needs no process for it: one
   * comes when the turn goes on. `session_not_found`, and what that rejects with.
   */
  async answer(tenant: string, name: string, answers: readonly ClientAnswer[]): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal;
    const client = await this.#population.find(tenant, name);
    if (client === undefined) throw notFound(name);
    await client.answer(answers);
  }

  /**
   * Brings a session's process back ahead of its next prompt. Resolves when it is connected and has loaded what its first
   * request needs, or a turn is under way. It evicts and waits as {@link SessionPool.getSessionClient} does. `session_not_found`, and what that rejects with.
   */
  async warm(tenant: string, name: string, signal?: AbortSignal): Promise<SessionInfo> {
    await this.#known.get(tenant, name);
    const client = await this.getSessionClient(name, {
      tenant,
      ...(signal !== undefined && { signal }),
    });
    await client.warmUp();
    return this.#known.info(client.row);
  }

  /**
   * Ends a session for good: what it runs, its process, its data, the workspace that was made for it. False when there was
   * none.
   */
  async deleteSession(tenant: string, name: string): Promise<boolean> {
    const known = await this.#known.find(tenant, name);
    return known !== undefined && this.#population.delete(known);
  }

  stats(): PoolStats {
    return poolStats(this.#population, this.#processes);
  }

  /** Memory of every attached process, in bytes, by session id. */
  processMemory(): Promise<ReadonlyMap<string, number>> {
    return this.#processes.memory();
  }

  /** Processes that have started and are not gone, as the pool counts them; the host tells how many are alive. */
  get processesOwned(): number {
    return this.#processes.owned;
  }

  /** Whether new turns should be sent here, and if not, why. A pool whose processes keep dying still takes them, slowly. */
  readiness(): { readonly ready: boolean; readonly reason?: string } {
    if (!this.#parts.options.enabled)
      return { ready: false, reason: 'the session pool is disabled' };
    const reason = this.#refusal?.message ?? this.#processes.deaths.reason;
    return reason === undefined ? { ready: true } : { ready: false, reason };
  }

  /**
   * Takes no new turns, lets running ones finish for `drainMs`, interrupts the rest, and leaves no process behind.
   * Accepted prompts that were not delivered stay in the store and run at the next start. May be called twice.
   */
  drain(drainMs: number = this.#parts.options.drainMs): Promise<void> {
    this.#closing ??= this.#shutDown(drainMs);
    return this.#closing;
  }

  /** Ends without patience: what runs is interrupted at once, also when a drain is under way. */
  close(): Promise<void> {
    this.#hurry.resolve();
    return this.drain(0);
  }

  #checkEnabled(): void {
    if (!this.#parts.options.enabled)
      throw new RoundhouseError('pool_disabled', 'Session pool is disabled');
  }

  async #shutDown(drainMs: number): Promise<void> {
    const { telemetry } = this.#parts;
    const refusal = new RoundhouseError(
      'draining',
      'The server is shutting down and takes no new turns; retry elsewhere.',
      { retryAfterSeconds: 1 },
    );
    this.#refusal = refusal;
    const retention = this.#retention.stop();
    const clients = this.#population.clients();
    this.#population.refuse(refusal);
    const spares = this.#processes.close(refusal);
    const quiet = Promise.all(clients.map((client) => client.quiet()));
    const { timedOut } = await withinDeadline(Promise.race([quiet, this.#hurry.promise]), drainMs);
    telemetry.log.info('pool_drained', { sessions: clients.length, timedOut });
    await this.#population.leave(refusal);
    await spares;
    await this.#recovering;
    await retention;
  }

  /**
   * The session, ready for a prompt; nothing is awaited where there is nothing to wait for. One that leaves memory while it
   * is being made ready is asked for again.
   */
  async #giveOut(tenant: string, name: string, request: SessionRequest): Promise<SessionClient> {
    const limits = checkedLimits(request.limits);
    const workspace =
      request.workspace === undefined
        ? undefined
        : await this.#workspaces.find(tenant, request.workspace);
    for (;;) {
      const resident = this.#population.get(tenant, name);
      const client = resident ?? (await this.#admit(tenant, name, request, { limits, workspace }));
      // It may have left already by the time that this caller is told of it.
      if (resident === undefined && this.#population.get(tenant, name) !== client) continue;
      const isNew = this.#population.callerEnters(client);
      try {
        refuseOtherWorkspace(client, workspace);
        const changed = client.change(request.agent, limits);
        if (changed !== undefined) await changed;
        client.priority = request.priority ?? 0;
        if (resident !== undefined) {
          const ready = this.#handover.readyForReuse(client, request.signal);
          if (ready !== undefined) await ready;
        }
        const connected = this.#handover.connect(client, request.signal);
        if (connected !== undefined) await connected;
        if (isNew) this.#population.callerAnswered(client);
        return client;
      } catch (error) {
        const left = this.#population.get(tenant, name) !== client;
        if (!left || asRoundhouseError(error).code !== 'session_moved') throw error;
      } finally {
        if (isNew) this.#population.callerLeaves(client);
      }
    }
  }

  /** S3, S16: a session that is not in memory gets a place there, and is made if nobody knows it. */
  async #admit(
    tenant: string,
    name: string,
    request: SessionRequest,
    { limits = {}, workspace }: CheckedRequest,
  ): Promise<SessionClient> {
    this.#parts.telemetry.log.debug?.('session_pool_creating_new_session', { sessionId: name });
    const { kind = 'named', agent = {}, history = [] } = request;
    return this.#population.findOrCreate(
      { tenant, name, kind, options: agent, limits, history, workspace },
      request.signal,
    );
  }
}
