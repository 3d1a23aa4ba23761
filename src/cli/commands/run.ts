import { createInterface } from 'node:readline/promises';

import type { ClientFlags } from '../client/connection.ts';
import type { CliContext } from '../context.ts';
import type { FeedEvent } from '../session/session-feed.ts';
import type { ServerCommand } from '../client/with-server.ts';
import type { ToolFlags } from '../client/toolset.ts';
import type { TurnOutcome } from '../session/turn-outcome.ts';
import { AnswerText } from '../session/answer-text.ts';
import { askPerson } from '../session/ask-person.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { interruptSession, runTurn, type TurnOptions } from '../session/session-turn.ts';
import { isTerminal, paintFor } from '../output/style.ts';
import { makeSession } from '../session/default-parts.ts';
import { onOneLine, printable } from '../output/printable.ts';
import { readAll } from '../client/definition-file.ts';
import { requestFailure } from '../client/request-failure.ts';
import { RunInterrupts } from '../session/run-interrupts.ts';
import { typedCommand } from '../context.ts';
import { UsageError } from '../usage-error.ts';
import { withinDeadline } from '../../time/deadline.ts';
import { withServer } from '../client/with-server.ts';

/** A person who leaves does not wait longer than this for what is cleared away. */
const CLEAN_UP_MS = 10_000;

/** Flags of `roundhouse run`. */
export interface RunFlags extends ClientFlags, ToolFlags {
  readonly session?: string;
  readonly agent?: string;
  readonly environment?: string;
  readonly model?: string;
  readonly system?: string;
  readonly keep?: boolean;
}

const EXIT_OF: Readonly<Record<TurnOutcome['kind'], ExitCode>> = {
  end_turn: EXIT_CODES.ok,
  failed: EXIT_CODES.turnFailed,
  refused: EXIT_CODES.refused,
  interrupted: EXIT_CODES.interrupted,
  action_required: EXIT_CODES.actionRequired,
  budget_reached: EXIT_CODES.budgetReached,
  session_deleted: EXIT_CODES.turnFailed,
};

const WORDS: Readonly<Record<TurnOutcome['kind'], string>> = {
  end_turn: '',
  failed: 'The turn failed',
  refused: 'The model refused',
  interrupted: 'Interrupted',
  action_required: 'The turn waits for an answer that nobody can give here',
  budget_reached: 'The budget of the session is used up',
  session_deleted: 'The session was deleted',
};

/**
 * `roundhouse run PROMPT`: one turn, its answer on stdout as it comes, everything else on stderr. The exit code tells how it
 * ended. The session that it made is deleted, unless `--keep`. Ctrl-C interrupts the turn, a second one leaves.
 */
export function run(
  argument: string | undefined,
  flags: RunFlags,
  context: CliContext,
): Promise<number> {
  return withServer(flags, context, async (command) => {
    checkFlags(flags);
    const piped = argument === undefined || argument === '-';
    const prompt = piped ? await promptOf(context) : argument;
    if (prompt.trim() === '') throw new UsageError('Expected a prompt, got nothing.');
    const made = flags.session === undefined;
    const interrupts = new RunInterrupts(context);
    try {
      const sessionId = flags.session ?? (await makeOne(command, flags, interrupts.signal));
      if (sessionId === undefined) return EXIT_CODES.left;
      try {
        return await oneTurn({ command, context, flags, sessionId, prompt, piped, interrupts });
      } finally {
        if (made && flags.keep !== true) await cleanUp(command, sessionId);
      }
    } finally {
      interrupts.stop();
    }
  });
}

interface OneTurn {
  readonly command: ServerCommand;
  readonly context: CliContext;
  readonly flags: RunFlags;
  readonly sessionId: string;
  readonly prompt: string;
  /** Whether the prompt came from stdin, so that nobody can be asked there. */
  readonly piped: boolean;
  readonly interrupts: RunInterrupts;
}

async function oneTurn(turn: OneTurn): Promise<ExitCode> {
  const { command, context, flags, sessionId, prompt, interrupts } = turn;
  const { client, out } = command;
  const shown = new AnswerText();
  let text = '';
  interrupts.onFirst(() => {
    out.note('Interrupting; again to leave.');
    interruptSession(client, sessionId).catch((error: unknown) => {
      out.note(requestFailure(error, command));
    });
  });
  const onEvent = (event: FeedEvent): void => {
    const piece = shown.next(event);
    text += piece;
    if (!out.json && piece !== '') context.stdout.write(forStdout(piece, context));
    noteOf(event, turn);
  };
  let outcome: TurnOutcome;
  try {
    outcome = await runTurn(prompt, {
      client,
      sessionId,
      signal: interrupts.signal,
      onEvent,
      onLost: () => out.note('The connection was lost; trying again.'),
      answer: answerer(turn),
    });
  } catch (error) {
    if (!interrupts.signal.aborted) throw error;
    return EXIT_CODES.left;
  }
  const kept = flags.session !== undefined || flags.keep === true;
  // Who was asked and pressed Ctrl-C instead has interrupted.
  const unanswered = outcome.kind === 'action_required' && interrupts.pressed;
  const { kind, message }: TurnOutcome = unanswered ? { kind: 'interrupted' } : outcome;
  if (out.json) {
    out.document({ outcome: kind, message: message ?? null, text, session_id: sessionId, kept });
  }
  if (kind !== 'end_turn') {
    out.note(printable(message === undefined ? `${WORDS[kind]}.` : `${WORDS[kind]}: ${message}`));
  }
  if (kept) out.note(`To go on with it: ${typedCommand('chat', ...sameSession(sessionId, flags))}`);
  else if (kind === 'action_required') {
    out.note('With --keep the session stays, and the turn waits for an answer given elsewhere.');
  }
  return EXIT_OF[kind];
}

/** The flags that lead another command to the session; the key is never shown. */
function sameSession(sessionId: string, { url }: RunFlags): string[] {
  return ['--session', sessionId, ...(url === undefined ? [] : ['--url', url])];
}

function checkFlags(flags: RunFlags): void {
  if (flags.session === undefined) return;
  const names = ['agent', 'environment', 'model', 'system', 'tools', 'ask', 'keep'] as const;
  const given = names.filter((name) => flags[name] !== undefined);
  if (given.length === 0) return;
  throw new UsageError(
    `--session: the session has its own; expected none of --${given.join(', --')} with it.`,
  );
}

async function promptOf({ stdin }: CliContext): Promise<string> {
  if (!isTerminal(stdin)) return readAll(stdin);
  throw new UsageError('Expected a prompt: as an argument, or on stdin.');
}

/** Undefined where the person has left meanwhile: then the server lets go of it. */
async function makeOne(
  { client }: ServerCommand,
  flags: RunFlags,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { agent, environment, model, system, tools, ask } = flags;
  try {
    const session = await makeSession({
      client,
      agent,
      environment,
      model,
      system,
      purpose: 'run',
      signal,
      ...(tools !== undefined && { tools }),
      ...(ask !== undefined && { ask }),
    });
    return session.id;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/** On a terminal the model's text must not command it; whoever reads a pipe gets it as it is. */
function forStdout(text: string, { stdout }: CliContext): string {
  return isTerminal(stdout) ? printable(text) : text;
}

/** Tells what the agent does, on stderr. */
function noteOf(event: FeedEvent, { command, context }: OneTurn): void {
  if (event.type !== 'agent.tool_use' && event.type !== 'agent.mcp_tool_use') return;
  const paint = paintFor(context.stderr, context.env);
  const words = onOneLine(`${event.name} ${JSON.stringify(event.input)}`);
  command.out.note(paint(words, 'dim'));
}

/** Asks the person at the terminal; nobody, where there is none. */
function answerer({ context, piped, interrupts }: OneTurn): TurnOptions['answer'] {
  const { stdin, stderr } = context;
  if (piped || !isTerminal(stdin) || !isTerminal(stderr)) return () => Promise.resolve(undefined);
  return async (call) => {
    const lines = createInterface({ input: stdin, output: stderr, terminal: true });
    lines.on('SIGINT', () => {
      interrupts.press();
      lines.close();
    });
    const closed = new Promise<undefined>((resolve) => {
      lines.once('close', () => resolve(undefined));
    });
    try {
      const ask = (question: string): Promise<string | undefined> =>
        Promise.race([lines.question(question), closed]);
      return await askPerson(call, ask, (text) => void stderr.write(text));
    } finally {
      lines.close();
    }
  };
}

/** Deletes the session. What fails is told: something is left behind then. */
async function cleanUp(command: ServerCommand, sessionId: string): Promise<void> {
  const { client, out } = command;
  try {
    const outcome = await withinDeadline(client.beta.sessions.delete(sessionId), CLEAN_UP_MS);
    if (outcome.timedOut) throw new Error('the server did not answer in time');
  } catch (error) {
    out.note(`The session ${sessionId} is left behind: ${requestFailure(error, command)}`);
  }
}
