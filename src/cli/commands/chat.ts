import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Interface } from 'node:readline/promises';

import type { ClientFlags } from '../client/connection.ts';
import type { CliContext } from '../context.ts';
import { ChatConnection, ChatFailure } from '../chat-connection.ts';
import { connect } from '../client/connection.ts';
import { errorText } from '../../errors.ts';

/** Flags of `roundhouse chat`. */
export interface ChatFlags extends ClientFlags {
  readonly session?: string;
  readonly model?: string;
  readonly workspace?: string;
}

/**
 * `roundhouse chat`: each line is a prompt of one session, its answer is written as it comes. Ctrl-C interrupts the turn, a
 * second one, one at the empty prompt, `/exit` or the end of the input leaves. The exit code is 1 when a turn failed.
 */
export async function chat(flags: ChatFlags, context: CliContext): Promise<number> {
  const session = flags.session ?? `chat-${randomBytes(4).toString('hex')}`;
  try {
    const { url, key } = await connect(flags, context);
    const connection = await ChatConnection.open({
      url,
      key,
      session,
      model: flags.model,
      // A path as it is typed is relative to where it is typed.
      workspace: flags.workspace === undefined ? undefined : resolve(flags.workspace),
      env: context.env,
    });
    return await new Conversation(connection, session, context).run();
  } catch (error) {
    context.stderr.write(`${errorText(error)}\n`);
    return 1;
  }
}

/** The running turn, and how often Ctrl-C was pressed in it. */
interface RunningTurn {
  readonly abort: AbortController;
  interrupted: boolean;
}

/** Lines in, answers out, one turn at a time. */
class Conversation {
  readonly #connection: ChatConnection;
  readonly #session: string;
  readonly #context: CliContext;
  readonly #isTerminal: boolean;
  #turn: RunningTurn | undefined;

  constructor(connection: ChatConnection, session: string, context: CliContext) {
    this.#connection = connection;
    this.#session = session;
    this.#context = context;
    this.#isTerminal = 'isTTY' in context.stdin && context.stdin.isTTY === true;
  }

  async run(): Promise<number> {
    const { stdin, stdout, signals } = this.#context;
    const lines = createInterface({
      input: stdin,
      terminal: this.#isTerminal,
      prompt: '> ',
      ...(this.#isTerminal ? { output: stdout } : {}),
    });
    const onInterrupt = (): void => this.#interrupt(lines);
    // On a terminal readline takes the key, from elsewhere the signal comes.
    lines.on('SIGINT', onInterrupt);
    signals.on('SIGINT', onInterrupt);
    try {
      this.#note(
        `Session ${this.#session} with ${this.#connection.model}. /exit leaves, Ctrl-C interrupts.`,
      );
      return await this.#talk(lines);
    } finally {
      signals.off('SIGINT', onInterrupt);
      lines.close();
      this.#note(`\nTo go on with it: --session ${this.#session}`);
    }
  }

  async #talk(lines: Interface): Promise<number> {
    let exitCode = 0;
    let closed = false;
    lines.once('close', () => (closed = true));
    const ask = (): void => {
      if (this.#isTerminal && !closed) lines.prompt();
    };
    ask();
    for await (const line of lines) {
      const prompt = line.trim();
      if (prompt === '/exit') break;
      if (prompt !== '') {
        const outcome = await this.#runTurn(prompt);
        if (outcome === 'left') break;
        if (outcome instanceof ChatFailure) {
          exitCode = 1;
          if (outcome.final) break;
        }
      }
      ask();
    }
    return exitCode;
  }

  async #runTurn(prompt: string): Promise<'done' | 'left' | ChatFailure> {
    const { stdout, stderr } = this.#context;
    const turn: RunningTurn = { abort: new AbortController(), interrupted: false };
    this.#turn = turn;
    try {
      await this.#connection.prompt(prompt, (text) => stdout.write(text), turn.abort.signal);
      stdout.write('\n');
      return 'done';
    } catch (error) {
      if (turn.abort.signal.aborted) return 'left';
      if (turn.interrupted) {
        stdout.write('\n[interrupted]\n');
        return 'done';
      }
      if (!(error instanceof ChatFailure)) throw error;
      stderr.write(`\n${error.message}\n`);
      return error;
    } finally {
      this.#turn = undefined;
    }
  }

  #interrupt(lines: Interface): void {
    const turn = this.#turn;
    if (turn === undefined || turn.interrupted) {
      turn?.abort.abort();
      lines.close();
      return;
    }
    turn.interrupted = true;
    // The turn ends through its own stream when this has worked; until then a second Ctrl-C leaves.
    this.#connection.interrupt().catch((error: unknown) => {
      this.#context.stderr.write(`\n${errorText(error)}\n`);
    });
  }

  /** Words for a person; a pipe gets answers only. */
  #note(text: string): void {
    if (this.#isTerminal) this.#context.stdout.write(`${text}\n`);
  }
}
