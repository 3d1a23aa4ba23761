import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished, vi } from 'vitest';

import { processesOf } from './leftovers.ts';
import { BIN, CLEAN_PATH } from './server-fixture.ts';
import { withinDeadline } from '../../src/time/deadline.ts';

const PATIENCE_MS = 20_000;

/** Gives a program a terminal of its own; util-linux has it. */
const SCRIPT = '/usr/bin/script';

/** Whether this machine can give a {@link Program} a terminal. */
export const HAS_TERMINALS = existsSync(SCRIPT);

/** Keys of a terminal. */
export const ENTER = '\r';
export const CTRL_C = '\u0003';
export const CTRL_D = '\u0004';

/** How a program ended, and what it wrote. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a new folder. */
  readonly cwd?: string;
}

/** `roundhouse` in a process of its own, under an environment made from nothing. It ends with the test. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';
  readonly #ended: Promise<unknown>;
  /** Where it works, and the home that it has. */
  readonly #folder: string;

  private constructor(
    [command, ...args]: readonly [string, ...string[]],
    cwd: string,
    env: Readonly<Record<string, string>> = {},
  ) {
    this.#folder = cwd;
    this.child = spawn(command, args, {
      env: { PATH: CLEAN_PATH, HOME: cwd, TMPDIR: cwd, ...env },
      cwd,
    });
    this.child.stdout.on('data', (chunk) => (this.stdout += String(chunk)));
    this.child.stderr.on('data', (chunk) => (this.stderr += String(chunk)));
    this.#ended = once(this.child, 'close');
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  static async start(args: readonly string[], options: ProgramOptions = {}): Promise<Program> {
    const cwd = options.cwd ?? (await temporaryFolder());
    return new Program([process.execPath, BIN, ...args], cwd, options.env);
  }

  /** On a terminal of its own, which shows everything as `stdout`. */
  static async onTerminal(args: readonly string[]): Promise<Program> {
    const line = [process.execPath, BIN, ...args].join(' ');
    const command = [SCRIPT, '--quiet', '--return', '--command', line, '/dev/null'] as const;
    return new Program(command, await temporaryFolder(), { TERM: 'dumb' });
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  endInput(): void {
    this.child.stdin.end();
  }

  interrupt(): void {
    this.child.kill('SIGINT');
  }

  /** Takes its terminal away, as when a window is closed, and waits until it has ended by that. */
  async hangUp(): Promise<void> {
    this.child.kill('SIGKILL');
    await vi.waitFor(
      () => {
        const left = processesOf(this.#folder);
        if (left.length > 0) throw new Error(`Still alive: ${JSON.stringify(left, null, 1)}`);
      },
      { timeout: PATIENCE_MS, interval: 20 },
    );
  }

  /** Waits until stdout has a text behind its first `from` characters, or stderr has. */
  async until(text: string, from = 0): Promise<void> {
    const written = (async () => {
      while (!this.stdout.includes(text, from) && !this.stderr.includes(text)) {
        const waited = new AbortController();
        const { signal } = waited;
        await Promise.race([
          once(this.child.stdout, 'data', { signal }),
          once(this.child.stderr, 'data', { signal }),
          this.#ended.then(() => {
            if (this.stdout.includes(text, from) || this.stderr.includes(text)) return;
            throw new Error(`It ended without: ${text}\n${this.stdout}\n${this.stderr}`);
          }),
        ]).finally(() => waited.abort());
      }
    })();
    const outcome = await withinDeadline(written, PATIENCE_MS);
    if (outcome.timedOut) throw new Error(`Not written: ${text}\n${this.stdout}\n${this.stderr}`);
  }

  /** Waits for its end. */
  async finish(): Promise<Outcome> {
    const outcome = await withinDeadline(this.#ended, PATIENCE_MS);
    if (outcome.timedOut) throw new Error(`It does not end.\n${this.stdout}\n${this.stderr}`);
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }
}

/** Runs `roundhouse` to its end with this input. */
export async function runProgram(
  args: readonly string[],
  options: ProgramOptions & { readonly input?: string } = {},
): Promise<Outcome> {
  const program = await Program.start(args, options);
  program.child.stdin.end(options.input ?? '');
  return program.finish();
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-program-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
