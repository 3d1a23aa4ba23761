import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ERROR_KINDS } from '../src/errors.ts';
import { startSimulator, type Simulator } from '../src/simulator/simulator.ts';
import { monotonicMs } from '../src/time/clock.ts';
import { withinDeadline } from '../src/time/deadline.ts';
import { processesOf } from '../test/support/leftovers.ts';
import { mountSmallDisk, unmountDisk } from './disk.ts';
import { PROMPT_ID, type Ledger } from './ledger.ts';
import { processEntries, sendSignal } from './processes.ts';
import type { ServerFaults } from './server-faults.ts';
import { ServerProcess, type ServerExit } from './server-process.ts';

/** Wait before each piece of an answer of the upstream: turns last long enough to be hit. */
const TOKEN_DELAY_MS = 10;
const STOP_LIMIT_MS = 60_000;
/** Limits as short as the schema and a busy machine allow: what stalls ends within seconds. */
const SHORT_LIMITS = {
  ROUNDHOUSE_LOG_LEVEL: 'debug',
  ROUNDHOUSE_AGENT_MAX_RETRIES: '2',
  ROUNDHOUSE_POOL_WAIT_MS: '20000',
  // Agents die all the time here; that the server says so and starts slowly then has its own tests.
  ROUNDHOUSE_POOL_MAX_DEATHS: '0',
  ROUNDHOUSE_POOL_DRAIN_MS: '3000',
  ROUNDHOUSE_POOL_IDLE_THRESHOLD_MS: '8000',
  ROUNDHOUSE_POOL_CLEANUP_INTERVAL_MS: '500',
  ROUNDHOUSE_POOL_SESSION_TTL_MS: '60000',
  ROUNDHOUSE_POOL_LIMITS_START_MS: '30000',
  ROUNDHOUSE_POOL_LIMITS_FIRST_MESSAGE_MS: '8000',
  ROUNDHOUSE_POOL_LIMITS_FIRST_TOKEN_MS: '6000',
  ROUNDHOUSE_POOL_LIMITS_SILENCE_MS: '10000',
  ROUNDHOUSE_POOL_LIMITS_TOOL_MS: '4000',
  ROUNDHOUSE_POOL_LIMITS_RETRYING_MS: '10000',
  ROUNDHOUSE_POOL_LIMITS_TURN_MS: '30000',
  ROUNDHOUSE_POOL_LIMITS_INTERRUPT_MS: '2000',
  ROUNDHOUSE_SERVER_STATUS_HOLD_MS: '2000',
  ROUNDHOUSE_SERVER_HEARTBEAT_MS: '1000',
  ROUNDHOUSE_SERVER_READER_MAX_ITEMS: '2000',
  ROUNDHOUSE_SERVER_READER_MAX_LAG_MS: '3000',
} as const;

export interface WorldOptions {
  readonly maxProcesses: number;
  /** Sessions in memory at once; fewer than there are, so that some leave it. */
  readonly maxResidents: number;
  /** Whether to try to give the data directory a small disk of its own, so that it can be filled. */
  readonly ownDisk: boolean;
  readonly ledger: Ledger;
  /** Settings of the server, as `ROUNDHOUSE_…` variables. Default: limits so short that what stalls ends within seconds. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Called with every line of the server's log. */
  readonly onLogLine?: (line: string) => void;
}

/** The server with its agents, and the upstream they talk to. Everything stands in one folder and goes with it. */
export class World {
  readonly root: string;
  readonly dataDir: string;
  /** Why the data directory has no disk of its own; undefined when it has. */
  readonly noDisk: string | undefined;
  readonly #options: WorldOptions;
  readonly #simulator: Simulator;
  readonly #tap = new AbortController();
  #server: ServerProcess | undefined;
  #up = Promise.withResolvers<void>();
  #starts = 0;
  #stopping = false;
  #failed = false;
  #faults: ServerFaults = { clockOffsetMs: 0, slowDiskMs: 0 };

  private constructor(root: string, simulator: Simulator, options: WorldOptions) {
    this.root = root;
    this.dataDir = join(root, 'data');
    this.#simulator = simulator;
    this.#options = options;
    for (const name of ['home', 'tmp', 'data']) mkdirSync(join(root, name));
    this.noDisk = options.ownDisk
      ? mountSmallDisk(this.dataDir)
      : 'only with --full-disk, which mounts a small file system as root';
    this.#countRequests();
  }

  static async start(options: WorldOptions): Promise<World> {
    const simulator = await startSimulator({ tokenDelayMs: TOKEN_DELAY_MS });
    const root = mkdtempSync(join(tmpdir(), 'rh-chaos-'));
    const world = new World(root, simulator, options);
    try {
      await world.launch();
    } catch (error) {
      await world.remove();
      throw error;
    }
    return world;
  }

  /** Of the server of now; it takes another port each time. Only while {@link World.up} is true. */
  get url(): string {
    return this.#server?.url ?? 'http://127.0.0.1:9';
  }

  /** Undefined while the server is down. */
  get pid(): number | undefined {
    return this.#server?.pid;
  }

  get up(): boolean {
    return this.#server !== undefined && !this.#stopping;
  }

  /** Lives of the server so far. Two equal ones before and after a wait: it did not go down in between. */
  get starts(): number {
    return this.#starts;
  }

  /** Whether the server is gone for good, which is a violation. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Settles when the server takes requests, or will never again. */
  async untilUp(): Promise<void> {
    if (!this.up && !this.#failed) await this.#up.promise;
  }

  /** Starts a server on the data directory. A violation, and a rejection, when it does not come up. */
  async launch(): Promise<void> {
    const { maxProcesses, maxResidents, ledger, settings = SHORT_LIMITS } = this.#options;
    const beganMs = monotonicMs();
    try {
      this.#server = await ServerProcess.start({
        root: this.root,
        upstreamUrl: this.#simulator.url,
        faults: this.#faults,
        settings: {
          ...settings,
          ROUNDHOUSE_POOL_MAX_PROCESSES: String(maxProcesses),
          ROUNDHOUSE_POOL_MAX_SESSIONS: String(maxResidents),
        },
        onLine: (line) => this.#onLogLine(line),
      });
    } catch (error) {
      this.#fail(`the server did not start: ${String(error)}`);
      throw error;
    }
    ledger.noteLongest('longest start of the server, ms', monotonicMs() - beganMs);
    this.#starts += 1;
    this.#stopping = false;
    this.#up.resolve();
    const server = this.#server;
    void server.exited.then((exit) => this.#onExit(server, exit));
  }

  /** Announces that the server goes down, so that nobody begins anything, and that its death is no surprise. */
  announceStop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#up = Promise.withResolvers();
  }

  /** Sends a signal to the server. */
  signal(signal: NodeJS.Signals): void {
    this.#server?.signal(signal);
  }

  /** Changes what is wrong with the server's machine; it stays so over restarts. One at a time. */
  async suffer(faults: Partial<ServerFaults>): Promise<void> {
    this.#faults = { ...this.#faults, ...faults };
    const isSo = this.#options.ledger.noteClock(this.#faults.clockOffsetMs);
    await this.#server?.suffer(this.#faults);
    isSo();
  }

  /** Ends the server by signals and waits for its end; a violation when it takes too long. */
  async stop(signal: NodeJS.Signals): Promise<ServerExit> {
    const server = this.#server;
    if (server === undefined) return { code: null, signal: null };
    this.announceStop();
    server.signal(signal);
    const beganMs = monotonicMs();
    const outcome = await withinDeadline(server.exited, STOP_LIMIT_MS);
    this.#options.ledger.noteLongest('longest stop of the server, ms', monotonicMs() - beganMs);
    if (!outcome.timedOut) return outcome.value;
    const what = `the server did not end within ${STOP_LIMIT_MS} ms of ${signal}`;
    this.#options.ledger.violation({ invariant: 'alive', what });
    server.signal('SIGKILL');
    return server.exited;
  }

  /** I9, while no server runs: no process of ours, and (unless folders wait to be rescued) nothing on disk. */
  checkNothingLeft(when: string, foldersToo: boolean): number {
    const { ledger } = this.#options;
    const living = processesOf(this.root);
    const entries = foldersToo ? processEntries(this.dataDir) : [];
    for (const { pid, command } of living)
      ledger.violation({ invariant: 'I9', what: `${when}: process ${pid} lives: ${command}` });
    for (const name of entries)
      ledger.violation({ invariant: 'I9', what: `${when}: processes/${name} is left` });
    return living.length + entries.length;
  }

  /** Ends whatever is left, at once and in one tick: also for the end of this process. Removes the folder. */
  destroy(): void {
    this.announceStop();
    this.signal('SIGKILL');
    for (const { pid } of processesOf(this.root)) sendSignal(pid, 'SIGKILL');
    if (this.noDisk === undefined) unmountDisk(this.dataDir);
    rmSync(this.root, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Ends everything, the upstream too. May be called twice. */
  async remove(): Promise<void> {
    this.#tap.abort();
    this.destroy();
    await this.#server?.exited;
    await this.#simulator.close();
    this.destroy();
  }

  #onExit(server: ServerProcess, exit: ServerExit): void {
    if (this.#server !== server) return;
    this.#server = undefined;
    if (!this.#stopping) this.#fail(`the server died by itself: ${exit.signal ?? exit.code}`);
  }

  #fail(what: string): void {
    this.#failed = true;
    this.#options.ledger.violation({ invariant: 'alive', what });
    this.#up.resolve();
  }

  /** The log's only claim on the checks: an error of the kind that is a defect by definition. */
  #onLogLine(line: string): void {
    const { ledger, onLogLine } = this.#options;
    onLogLine?.(line);
    if (line.includes('"code":"internal"') || line.includes(ERROR_KINDS.internal.when))
      ledger.violation({ invariant: 'alive', what: `internal error: ${line.slice(0, 2_000)}` });
    const event =
      /"event":"(session_reader_cut|session_transcript_rescued|agent_transcript_repaired|agent_transcript_completed|pool_session_broken)"/.exec(
        line,
      )?.[1];
    if (event !== undefined) ledger.note(event);
  }

  /** The predicate is asked about every request; it never matches, so the wait goes on to the end. */
  #countRequests(): void {
    const { ledger } = this.#options;
    const tap = this.#simulator.waitForRequest(({ prompt, claudeSessionId, at, path }) => {
      const promptId = path === '/v1/messages' ? PROMPT_ID.exec(prompt ?? '')?.[0] : undefined;
      if (promptId !== undefined)
        ledger.countRequest({ promptId, agentId: claudeSessionId ?? '', at });
      return false;
    }, this.#tap.signal);
    // It ends by the signal alone.
    tap.catch(() => {});
  }
}
