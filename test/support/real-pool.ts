import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { compose } from '../../src/compose.ts';
import type { AgentOptions } from '../../src/contracts/agent-driver.ts';
import type { TurnEnd } from '../../src/events/record.ts';
import { poolOptionsSchema, type PoolOptions } from '../../src/pool/options.ts';
import type { SessionPool } from '../../src/pool/session-pool.ts';
import type { PromptRequest } from '../../src/session/prompt-request.ts';
import { turnLimitsSchema, type TurnLimits } from '../../src/definitions/turn-limits.ts';
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import type { LogFields, Telemetry } from '../../src/telemetry/telemetry.ts';
import { agentsAlive, processesOf, workingFolder, type FoundProcess } from './leftovers.ts';
import { LogLines } from './log-lines.ts';
import { answerOf, collect, text } from './pool-fixture.ts';

export interface RealPoolOptions {
  /** Not validated: tests use values below the smallest that users may set. */
  readonly pool?: Partial<Omit<PoolOptions, 'limits'>>;
  readonly limits?: Partial<TurnLimits>;
  readonly executable?: string;
  readonly agent?: AgentOptions;
  /** Folders that sessions may be told to work in. */
  readonly workspaces?: readonly string[];
}

/** The answer to a prompt, and how its turn ended. */
export interface Answered {
  readonly text: string;
  readonly end: TurnEnd;
}

/** A pool of real Claude Code processes on a simulator, in this process, with everything that it logs. */
export class RealPool {
  readonly pool: SessionPool;
  readonly simulator: Simulator;
  readonly log: LogLines;
  /** The data directory. */
  readonly folder: string;
  readonly #close: (drainMs?: number) => Promise<void>;

  private constructor(
    parts: Pick<RealPool, 'pool' | 'simulator' | 'log' | 'folder'> & {
      close: (drainMs?: number) => Promise<void>;
    },
  ) {
    this.pool = parts.pool;
    this.simulator = parts.simulator;
    this.log = parts.log;
    this.folder = parts.folder;
    this.#close = parts.close;
  }

  static async open(options: RealPoolOptions = {}): Promise<RealPool> {
    const folder = await mkdtemp(join(tmpdir(), 'rh-pool-'));
    const simulator = await startSimulator();
    const log = new LogLines();
    const composition = await compose({
      dataDir: folder,
      pool: {
        ...poolOptionsSchema.parse({}),
        // Tests of spares switch them on; all others count processes.
        spares: { ...poolOptionsSchema.parse({}).spares, max: 0 },
        maxProcesses: 4,
        ...options.pool,
        limits: { ...turnLimitsSchema.parse({}), ...options.limits },
      },
      credentials: { ANTHROPIC_BASE_URL: simulator.url, ANTHROPIC_API_KEY: 'sk-dummy-key' },
      telemetry: telemetryOf(log),
      agent: { executable: options.executable, maxRetries: 1 },
      ...(options.agent !== undefined && { defaultAgent: options.agent }),
      ...(options.workspaces !== undefined && { workspaces: { allowed: options.workspaces } }),
    });
    const { pool } = composition;
    const close = (drainMs?: number): Promise<void> => composition.close(drainMs);
    return new RealPool({ pool, simulator, log, folder, close });
  }

  /** Prompts a session and waits for the end of the turn. */
  async ask(
    session: string,
    prompt: string,
    { workspace, ...request }: PromptRequest & { workspace?: string } = {},
  ): Promise<Answered> {
    const client = await this.pool.getSessionClient(session, {
      ...(workspace !== undefined && { workspace }),
    });
    const handle = await client.prompt(text(prompt), request);
    return { text: answerOf(await collect(handle)), end: await handle.ended };
  }

  /** The process id of the agent of a session, as the operating system has it. */
  async agentPid(session: string): Promise<number> {
    const client = await this.pool.getSessionClient(session);
    // An attachment may have been renamed since its process was marked; where it works stays.
    const { workspace } = client.row;
    const own = this.processes().filter(
      ({ command, pid }) => command.includes('--output-format') && workingFolder(pid) === workspace,
    );
    if (own[0] === undefined || own.length > 1)
      throw new Error(`Expected one agent process of ${session}, got ${JSON.stringify(own)}.`);
    return own[0].pid;
  }

  processes(): FoundProcess[] {
    return processesOf(this.folder);
  }

  agentsAlive(): number {
    return agentsAlive(this.folder);
  }

  /** Resolves when a state has been entered; `from` is a mark of the log. */
  untilStatus(session: string, to: string, from = 0): Promise<unknown> {
    return this.log.waitForEvent('session_state_changed', { sessionId: session, to }, { from });
  }

  /** Closes the pool; after that, at that moment, no process of it lives. */
  async close(drainMs = 0): Promise<void> {
    await this.#close(drainMs);
    const left = this.processes();
    if (left.length > 0) throw new Error(`Still alive: ${JSON.stringify(left, null, 1)}`);
  }

  async end(): Promise<void> {
    try {
      await this.close();
    } finally {
      for (const { pid } of this.processes()) process.kill(pid, 'SIGKILL');
      await this.simulator.close();
      await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

function telemetryOf(log: LogLines): Telemetry {
  const line =
    (level: string) =>
    (event: string, fields: LogFields = {}): void =>
      log.add({ ...fields, level, event });
  return {
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    metrics: { count: () => {}, observe: () => {} },
  };
}
