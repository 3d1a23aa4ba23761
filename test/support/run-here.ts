import { EventEmitter } from 'node:events';
import { PassThrough, Readable } from 'node:stream';

import { runCli } from '../../src/cli/main.ts';
import type { CliContext } from '../../src/cli/context.ts';
import type { Outcome } from './program.ts';

export interface HereOptions {
  /** All of the environment. Default: nothing. */
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
  /** Whether a person seems to sit at it. */
  readonly terminal?: boolean;
}

/** A command line run in this process, while a test still looks at it. */
export class CommandHere {
  readonly signals = new EventEmitter();
  readonly stdin: PassThrough | Readable;
  readonly ended: Promise<Outcome>;
  readonly #out = new Written();
  readonly #err = new Written();

  constructor(args: readonly string[], { env = {}, input, terminal }: HereOptions = {}) {
    this.stdin = input === undefined ? new PassThrough() : Readable.from([Buffer.from(input)]);
    if (terminal === true) {
      for (const stream of [this.stdin, this.#out.stream, this.#err.stream])
        Object.assign(stream, { isTTY: true });
    }
    const context: CliContext = {
      env,
      stdin: this.stdin,
      stdout: this.#out.stream,
      stderr: this.#err.stream,
      signals: this.signals,
    };
    this.ended = runCli(args, context).then((code) => ({
      code,
      stdout: this.#out.text,
      stderr: this.#err.text,
    }));
  }

  get stdout(): string {
    return this.#out.text;
  }

  get stderr(): string {
    return this.#err.text;
  }

  interrupt(): void {
    this.signals.emit('SIGINT');
  }

  type(text: string): void {
    if (this.stdin instanceof PassThrough) this.stdin.write(text);
  }

  endInput(): void {
    if (this.stdin instanceof PassThrough) this.stdin.end();
  }

  /** Settles when stdout or stderr holds the text; rejects when the command ends without. */
  async until(text: string): Promise<void> {
    const ended = this.ended.then(({ stdout, stderr }) => {
      throw new Error(`It ended without: ${text}\n${stdout}\n${stderr}`);
    });
    await Promise.race([this.#out.until(text), this.#err.until(text), ended]);
  }
}

/** Runs a command line in this process to its end: much sooner than a process of its own. */
export function runHere(args: readonly string[], options: HereOptions = {}): Promise<Outcome> {
  return new CommandHere(args, { input: '', ...options }).ended;
}

/** What is written to a stream, as it comes. */
class Written {
  readonly stream = new PassThrough();
  text = '';
  readonly #waiting = new Set<() => void>();

  constructor() {
    this.stream.on('data', (chunk) => {
      this.text += String(chunk);
      for (const look of this.#waiting) look();
    });
  }

  until(text: string): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.text.includes(text)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }
}
