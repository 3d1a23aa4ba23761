import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

import { BIN, CLEAN_PATH } from './server-fixture.ts';
import { withinDeadline } from '../../src/time/deadline.ts';

const PATIENCE_MS = 20_000;

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

  private constructor(args: readonly string[], cwd: string, env: Readonly<Record<string, string>>) {
    this.child = spawn(process.execPath, [BIN, ...args], {
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
    return new Program(args, cwd, options.env ?? {});
  }

  type(text: string): void {
    this.child.stdin.write(text);
  }

  interrupt(): void {
    this.child.kill('SIGINT');
  }

  /** Waits until stdout has a text, or stderr has. */
  async until(text: string): Promise<void> {
    const written = (async () => {
      while (!this.stdout.includes(text) && !this.stderr.includes(text)) {
        await Promise.race([
          once(this.child.stdout, 'data'),
          once(this.child.stderr, 'data'),
          this.#ended.then(() => {
            if (!`${this.stdout}${this.stderr}`.includes(text)) throw new Error('It ended.');
          }),
        ]);
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
