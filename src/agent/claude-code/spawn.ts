import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';

import type { SpawnOptions } from '@anthropic-ai/claude-agent-sdk';

import type { Redact } from './redact.ts';

const STDERR_TAIL_BYTES = 4096;
const MAX_LISTENERS = 50;

/** How the operating system's process ended. Both null: it never came to life. */
export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What happens between the SDK's request for a process and the process. */
export interface AgentChildOptions {
  /** Goes in front of the command; see `Host.spawnPrefix`. */
  readonly prefix: readonly string[];
  readonly redact: Redact;
  /** Called once, with the pid, as soon as there is one. */
  readonly onSpawn: (pid: number) => void;
}

/**
 * The operating system's side of one agent process: our own handle, beside the one that the SDK believes to be its own,
 * because the SDK tells neither the exit code nor what was written on stderr.
 */
export class AgentChild {
  /** Settles when the process has exited, or could not be started at all. Stays open until something was spawned. */
  readonly exited: Promise<ChildExit>;
  readonly #options: AgentChildOptions;
  readonly #settleExit: (exit: ChildExit) => void;
  #child: ChildProcessWithoutNullStreams | undefined;
  #exit: ChildExit | undefined;
  #stderr = Buffer.alloc(0);

  constructor(options: AgentChildOptions) {
    this.#options = options;
    const exited = Promise.withResolvers<ChildExit>();
    this.exited = exited.promise;
    this.#settleExit = exited.resolve;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Whether a process was asked for, whatever became of it. */
  get spawned(): boolean {
    return this.#child !== undefined;
  }

  get hasExited(): boolean {
    return this.#exit !== undefined;
  }

  /** The last of stderr, at most 4 KiB, without secrets. */
  get stderrTail(): string {
    return this.#options.redact(this.#stderr.toString('utf8')).trim();
  }

  /**
   * The SDK's `spawnClaudeCodeProcess`. Its signal is not passed on: it would kill without a grace, and every end of a
   * process is the driver's own business.
   */
  readonly spawn = (request: SpawnOptions): ChildProcessWithoutNullStreams => {
    const [command, ...args] = [...this.#options.prefix, request.command, ...request.args];
    if (command === undefined) throw new TypeError('There is no command to spawn.');
    const child = spawn(command, args, {
      ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
      env: request.env,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    // The SDK listens a dozen times for the end of a parked process; Node would take that for a leak.
    child.setMaxListeners(MAX_LISTENERS);
    child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = Buffer.concat([this.#stderr, chunk]).subarray(-STDERR_TAIL_BYTES);
    });
    // `exit` and not `close`: a tool that outlives the agent may hold its pipes open.
    child.once('exit', (code, signal) => this.#end({ code, signal }));
    child.once('error', (error) => {
      this.#stderr = Buffer.from(error.message);
      if (child.pid === undefined) this.#end({ code: null, signal: null });
    });
    if (child.pid !== undefined) this.#options.onSpawn(child.pid);
    return child;
  };

  /** Sends a signal; nothing happens when the process is gone. */
  kill(signal: NodeJS.Signals): void {
    if (!this.hasExited) this.#child?.kill(signal);
  }

  #end(exit: ChildExit): void {
    this.#exit ??= exit;
    this.#settleExit(this.#exit);
  }
}
