import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { vi } from 'vitest';
import { z } from 'zod';

import { withinDeadline } from '../../src/time/deadline.ts';
import { agentsAlive, processesOf, type FoundProcess } from './leftovers.ts';
import { LogLines, type LogLine } from './log-lines.ts';

export const BIN = fileURLToPath(new URL('../../bin/roundhouse.js', import.meta.url));

/** Node itself and the system's tools; nothing of the developer's machine. */
export const CLEAN_PATH = `${dirname(process.execPath)}:/usr/local/bin:/usr/bin:/bin`;

const START_LIMIT_MS = 20_000;
const STOP_LIMIT_MS = 30_000;

export interface ServerOptions {
  /** Where answers come from. Default: the simulator that the server embeds. */
  readonly upstream?: { readonly url: string; readonly key?: string };
  /** More variables, `ROUNDHOUSE_…` for example. */
  readonly env?: Readonly<Record<string, string>>;
  /** More flags. */
  readonly args?: readonly string[];
  /** A configuration file's text. */
  readonly config?: string;
}

/** How a program ended. */
export interface ProgramExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** An agent process, as the record says that the server keeps of it. */
export interface AgentRecord {
  readonly pid: number;
  readonly clientId: string;
  readonly sessionId: string;
  readonly folder: string;
}

interface Run {
  readonly child: ChildProcessWithoutNullStreams;
  readonly exited: Promise<ProgramExit>;
}

/** A server in a process of its own, under an environment built from nothing, on folders of its own. */
export class ServerFixture {
  /** Holds everything: `home`, `data`, `tmp`. */
  readonly root: string;
  readonly dataDir: string;
  /** Of every run, one after the other. */
  readonly log = new LogLines();
  /** What was written besides the log. */
  readonly output: string[] = [];
  readonly #options: ServerOptions;
  #run: Run | undefined;
  #url = '';

  private constructor(root: string, options: ServerOptions) {
    this.root = root;
    this.dataDir = join(root, 'data');
    this.#options = options;
  }

  /** Starts a server and waits until it listens. */
  static async start(options: ServerOptions = {}): Promise<ServerFixture> {
    const root = await mkdtemp(join(tmpdir(), 'rh-e2e-'));
    await mkdir(join(root, 'home'));
    await mkdir(join(root, 'tmp'));
    if (options.config !== undefined) await writeFile(join(root, 'config.yaml'), options.config);
    const fixture = new ServerFixture(root, options);
    try {
      await fixture.#launch();
    } catch (error) {
      await rm(root, { recursive: true });
      throw error;
    }
    return fixture;
  }

  /** Of the run of now; a restart takes another port. */
  get url(): string {
    return this.#url;
  }

  get pid(): number {
    const pid = this.#run?.child.pid;
    if (pid === undefined) throw new Error('The server does not run.');
    return pid;
  }

  /** The environment that programs beside the server are started with. */
  get environment(): Record<string, string> {
    return { PATH: CLEAN_PATH, HOME: join(this.root, 'home'), TMPDIR: join(this.root, 'tmp') };
  }

  /** Sends a signal and waits for the end of the server. */
  async kill(signal: NodeJS.Signals): Promise<ProgramExit> {
    this.signal(signal);
    return this.exited();
  }

  signal(signal: NodeJS.Signals): void {
    if (!process.kill(this.pid, signal)) throw new Error(`No ${signal} could be sent.`);
  }

  /** Settles when the server has ended. */
  async exited(): Promise<ProgramExit> {
    const run = this.#run;
    if (run === undefined) throw new Error('The server does not run.');
    const outcome = await withinDeadline(run.exited, STOP_LIMIT_MS);
    if (outcome.timedOut) {
      run.child.kill('SIGKILL');
      throw new Error(`The server did not end within ${STOP_LIMIT_MS} ms.`);
    }
    return outcome.value;
  }

  /** Starts again on the same data directory; a server that runs is stopped in good order first. */
  async restart(): Promise<void> {
    if (this.#run !== undefined) await this.kill('SIGTERM');
    await this.#launch();
  }

  /** The agent processes that the server has on record. */
  async agents(): Promise<AgentRecord[]> {
    const folder = join(this.dataDir, 'processes');
    const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
    const texts = await Promise.all(
      names.map((name) => readFile(join(folder, name), 'utf8').catch(() => undefined)),
    );
    return texts.flatMap((text) =>
      text === undefined ? [] : [recordSchema.parse(JSON.parse(text))],
    );
  }

  /** The one agent process that there is. */
  async agent(): Promise<AgentRecord> {
    const agents = await this.agents();
    const only = agents[0];
    if (only === undefined || agents.length > 1)
      throw new Error(`Expected one agent process, got ${agents.length}.`);
    return only;
  }

  agentsAlive(): number {
    return agentsAlive(this.root);
  }

  /** Processes of this server, its agents and their tools, that live. */
  processes(): FoundProcess[] {
    return processesOf(this.root);
  }

  /** Waits until no process of this server is left, for at most `limitMs`. */
  async untilNothingLives(limitMs: number): Promise<void> {
    await vi.waitFor(
      () => {
        const left = this.processes();
        if (left.length > 0) throw new Error(`Still alive: ${JSON.stringify(left, null, 1)}`);
      },
      { timeout: limitMs, interval: 50 },
    );
  }

  /** Names of what is left of agent processes and workspaces on disk. */
  async folders(): Promise<string[]> {
    const kinds = ['processes', 'workspaces'];
    const names = await Promise.all(kinds.map((kind) => readdir(join(this.dataDir, kind))));
    return names.flat();
  }

  /** Where a file of a session's own workspace is. */
  inWorkspace(sessionId: string, name: string): string {
    return join(this.dataDir, 'workspaces', sessionId, name);
  }

  /** Rows of every table that belongs to sessions, read beside the server. */
  rows(): Record<string, number> {
    const database = new DatabaseSync(join(this.dataDir, 'roundhouse.db'), { readOnly: true });
    try {
      const counts = ['sessions', 'events', 'open_turns', 'transcript_entries'].map((table) => {
        const row = database.prepare(`select count(*) as n from ${table}`).get();
        return [table, Number(row?.['n'])] as const;
      });
      return Object.fromEntries(counts);
    } finally {
      database.close();
    }
  }

  /** The value of a metric without labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`There is no metric ${name}.`);
    return Number(value);
  }

  /** Stops the server in good order, proves that nothing of it lives, and removes its folders. */
  async end(): Promise<void> {
    try {
      if (this.#run !== undefined) await this.kill('SIGTERM');
      await this.untilNothingLives(2_000);
    } finally {
      for (const { pid } of this.processes()) killIfThere(pid);
      await rm(this.root, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  async #launch(): Promise<void> {
    const { upstream, env, args = [], config } = this.#options;
    const child = spawn(
      process.execPath,
      [
        BIN,
        'serve',
        '--port=0',
        '--log-level=debug',
        `--data-dir=${this.dataDir}`,
        ...(config === undefined ? [] : ['--config', join(this.root, 'config.yaml')]),
        ...args,
      ],
      {
        cwd: this.root,
        env: {
          ...this.environment,
          // Tests of spares switch them on; all others count processes.
          ROUNDHOUSE_POOL_SPARES_MAX: '0',
          ...(upstream !== undefined && {
            ANTHROPIC_BASE_URL: upstream.url,
            ANTHROPIC_API_KEY: upstream.key ?? 'sk-dummy-key',
          }),
          ...env,
        },
      },
    );
    const exited = new Promise<ProgramExit>((resolve) => {
      child.once('close', (code, signal) => {
        this.#run = undefined;
        resolve({ code, signal });
      });
    });
    this.#run = { child, exited };
    createInterface({ input: child.stderr }).on('line', (line) => this.#onErrorLine(line));
    const listening = new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        this.output.push(line);
        const url = /listens on (http:\/\/\S+)/.exec(line)?.[1];
        if (url !== undefined) resolve(url);
      });
      void exited.then(({ code }) =>
        reject(new Error(`The server ended with ${code}: ${this.output.join('\n')}`)),
      );
    });
    const outcome = await withinDeadline(listening, START_LIMIT_MS);
    if (outcome.timedOut) {
      child.kill('SIGKILL');
      throw new Error('The server did not listen in time.');
    }
    this.#url = outcome.value;
  }

  #onErrorLine(line: string): void {
    const parsed = logLine(line);
    if (parsed === undefined) this.output.push(line);
    else this.log.add(parsed);
  }
}

const recordSchema = z.object({
  pid: z.number(),
  clientId: z.string(),
  sessionId: z.string(),
  folder: z.string(),
});

const lineSchema = z.looseObject({ level: z.string(), event: z.string() });

function logLine(text: string): LogLine | undefined {
  if (!text.startsWith('{')) return undefined;
  return lineSchema.parse(JSON.parse(text));
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended in the meantime.
  }
}
