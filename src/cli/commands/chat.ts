import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import type { Interface } from 'node:readline/promises';

import type { Ask } from '../session/ask-person.ts';
import type { ChatLink, TurnView } from '../chat-link.ts';
import type { ClientFlags } from '../client/connection.ts';
import type { CliContext } from '../context.ts';
import type { ToolFlags } from '../client/toolset.ts';
import { ChatFailure } from '../chat-link.ts';
import { connect } from '../client/connection.ts';
import { EXIT_CODES } from '../exit-codes.ts';
import { isTerminal, paintFor } from '../output/style.ts';
import { NamedChat } from '../named-chat.ts';
import { requestFailure } from '../client/request-failure.ts';
import { SessionChat } from '../session-chat.ts';
import { UsageError } from '../usage-error.ts';

/** Flags of `roundhouse chat`. */
export interface ChatFlags extends ClientFlags, ToolFlags {
  readonly session?: string;
  readonly agent?: string;
  readonly environment?: string;
  readonly model?: string;
  readonly workspace?: string;
}

/** How ids of sessions begin; whatever else is said is the name of one. */
const SESSION_ID = /^sesn_/;

/**
 * `roundhouse chat`: each line is a prompt of one session, its answer is written as it comes. Ctrl-C interrupts the turn, a
 * second one, one at the empty prompt, `/exit` or the end of the input leaves. The exit code is 1 when a turn failed.
 */
export async function chat(flags: ChatFlags, context: CliContext): Promise<number> {
  try {
    const link = await openLink(flags, context);
    return await new Conversation(link, context).run();
  } catch (error) {
    const known = error instanceof ChatFailure || error instanceof UsageError;
    const text = known ? error.message : requestFailure(error, { url: '', key: undefined });
    context.stderr.write(`${text}\n`);
    return error instanceof UsageError ? EXIT_CODES.usage : EXIT_CODES.failed;
  }
}

async function openLink(flags: ChatFlags, context: CliContext): Promise<ChatLink> {
  const connection = await connect(flags, context);
  const { session, agent, environment, model, tools, ask } = flags;
  // A path as it is typed is relative to where it is typed.
  const workspace = flags.workspace === undefined ? undefined : resolve(flags.workspace);
  if (session === undefined) {
    const given = { ...(tools !== undefined && { tools }), ...(ask !== undefined && { ask }) };
    return SessionChat.create(connection, { agent, environment, model, workspace, ...given });
  }
  const byId = SESSION_ID.test(session);
  const own = { agent, environment, tools, ask, ...(byId && { model, workspace }) };
  const wrong = Object.entries(own).flatMap(([name, value]) => (value === undefined ? [] : name));
  if (wrong.length > 0) {
    throw new UsageError(
      `--session: expected none of --${wrong.join(', --')} with ${byId ? 'a session that there is' : 'a session by name'}.`,
    );
  }
  if (byId) return SessionChat.open(connection, session);
  const { url, key } = connection;
  return NamedChat.open({ url, key, session, model, workspace, env: context.env });
}

/** The running turn, and how often Ctrl-C was pressed in it. */
interface RunningTurn {
  readonly abort: AbortController;
  /** Aborts a question that is open. */
  readonly questions: AbortController;
  /** Settles when the interrupt was heard, or was not. */
  interrupted: Promise<void> | undefined;
}

/** Lines in, answers out, one turn at a time. */
class Conversation {
  readonly #link: ChatLink;
  readonly #context: CliContext;
  readonly #isTerminal: boolean;
  #turn: RunningTurn | undefined;
  /** Whether no further line can come. */
  #closed = false;

  constructor(link: ChatLink, context: CliContext) {
    this.#link = link;
    this.#context = context;
    this.#isTerminal = isTerminal(context.stdin);
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
    const { session, model } = this.#link;
    try {
      this.#note(`Session ${session} with ${model}. /exit leaves, Ctrl-C interrupts.`);
      return await this.#talk(lines);
    } finally {
      signals.off('SIGINT', onInterrupt);
      lines.close();
      this.#note(`\nTo go on with it: --session ${session}`);
    }
  }

  async #talk(lines: Interface): Promise<number> {
    let exitCode: number = EXIT_CODES.ok;
    lines.once('close', () => {
      this.#closed = true;
      this.#turn?.questions.abort();
    });
    const ask = (): void => {
      if (this.#isTerminal && !this.#closed) lines.prompt();
    };
    // Made before anything is awaited: lines that come meanwhile must not get lost.
    const typed = lines[Symbol.asyncIterator]();
    let outcome = await this.#runTurn(lines, (view) => this.#link.takeUp(view));
    for (;;) {
      if (outcome === 'left') break;
      if (outcome instanceof ChatFailure) {
        exitCode = EXIT_CODES.failed;
        if (outcome.final) break;
      }
      ask();
      const { value, done } = await typed.next();
      if (done === true) break;
      const prompt = value.trim();
      if (prompt === '/exit') break;
      outcome =
        prompt === ''
          ? 'done'
          : await this.#runTurn(lines, (view) => this.#link.prompt(prompt, view));
    }
    return exitCode;
  }

  async #runTurn(
    lines: Interface,
    run: (view: TurnView) => Promise<'none' | 'done' | 'interrupted'>,
  ): Promise<'done' | 'left' | ChatFailure> {
    const { stdout, stderr } = this.#context;
    const turn: RunningTurn = {
      abort: new AbortController(),
      questions: new AbortController(),
      interrupted: undefined,
    };
    this.#turn = turn;
    try {
      const outcome = await run(this.#view(lines, turn));
      await turn.interrupted;
      if (turn.abort.signal.aborted) return 'left';
      if (outcome === 'interrupted') stdout.write('\n[interrupted]\n');
      return 'done';
    } catch (error) {
      if (turn.abort.signal.aborted) return 'left';
      if (turn.interrupted !== undefined) {
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

  #view(lines: Interface, turn: RunningTurn): TurnView {
    const { stdout, stderr, env } = this.#context;
    const paint = paintFor(stderr, env);
    const ask: Ask = async (question) => {
      try {
        if (!this.#closed) return await lines.question(question, { signal: turn.questions.signal });
      } catch (error) {
        if (!turn.questions.signal.aborted) throw error;
      }
      // Nobody is there any more, which is no answer: the call waits for whoever comes back.
      if (this.#closed) turn.abort.abort();
      return undefined;
    };
    return {
      onText: (text) => void stdout.write(text),
      onNote: (text) => void stderr.write(`${paint(text, 'dim')}\n`),
      ask: this.#isTerminal ? ask : undefined,
      signal: turn.abort.signal,
    };
  }

  #interrupt(lines: Interface): void {
    const turn = this.#turn;
    if (turn === undefined || turn.interrupted !== undefined) {
      turn?.abort.abort();
      lines.close();
      return;
    }
    // The turn ends through its own stream when this has worked; until then a second Ctrl-C leaves.
    turn.interrupted = this.#link.interrupt().catch((error: unknown) => {
      const text = error instanceof Error ? error.message : String(error);
      this.#context.stderr.write(`\n${text}\n`);
    });
    turn.questions.abort();
  }

  /** Words for a person; a pipe gets answers only. */
  #note(text: string): void {
    if (this.#isTerminal) this.#context.stdout.write(`${text}\n`);
  }
}
