import { BadRequestError } from '@anthropic-ai/sdk';

import { askPerson } from './session/ask-person.ts';
import type { CallAnswer, PendingCall } from './session/pending-call.ts';
import { chatFailure } from './chat-failure.ts';
import { ChatFailure, type ChatLink, type TurnView } from './chat-link.ts';
import type { Connection } from './client/connection.ts';
import { AnswerText } from './session/answer-text.ts';
import { interruptSession, runTurn, takeUpTurn, type TurnOptions } from './session/session-turn.ts';
import { makeSession, type SessionParts } from './session/default-parts.ts';
import { onOneLine } from './output/printable.ts';
import type { TurnOutcome } from './session/turn-outcome.ts';

/** What a new chat may do where nobody has said it: look by itself, and the rest when the person gives leave. */
const USUAL_TOOLS = { tools: 'read,glob,grep', ask: 'bash,write,edit,web_fetch,web_search' };
const NOBODY = 'Nobody is at the terminal who could allow this.';

/** What a new session is made of. */
export type NewChat = Omit<SessionParts, 'client' | 'purpose'>;

/** A session of the Managed Agents API: calls that wait for leave are put to the person. */
export class SessionChat implements ChatLink {
  readonly model: string;
  readonly session: string;
  readonly #connection: Connection;

  private constructor(connection: Connection, session: string, model: string) {
    this.#connection = connection;
    this.session = session;
    this.model = model;
  }

  /** Goes on with a session. */
  static async open(connection: Connection, id: string): Promise<SessionChat> {
    try {
      const { agent } = await connection.client.beta.sessions.retrieve(id);
      return new SessionChat(connection, id, agent.model.id);
    } catch (error) {
      throw chatFailure(error, connection);
    }
  }

  /** Makes a session. Where the operator has switched the agents' own tools off, it has none. */
  static async create(connection: Connection, parts: NewChat): Promise<SessionChat> {
    const { client } = connection;
    const all: SessionParts = { ...parts, client, purpose: 'chat' };
    const unsaid =
      parts.agent === undefined && parts.tools === undefined && parts.ask === undefined;
    try {
      const made = unsaid
        ? await makeSession({ ...all, ...USUAL_TOOLS }).catch((error: unknown) => {
            if (error instanceof BadRequestError) return makeSession(all);
            throw error;
          })
        : await makeSession(all);
      return new SessionChat(connection, made.id, made.model);
    } catch (error) {
      throw chatFailure(error, connection);
    }
  }

  async takeUp(view: TurnView): Promise<'none' | 'done' | 'interrupted'> {
    const outcome = await this.#follow(view, (options) => takeUpTurn(options));
    return outcome === undefined ? 'none' : this.#told(outcome);
  }

  async prompt(text: string, view: TurnView): Promise<'done' | 'interrupted'> {
    return this.#told(await this.#follow(view, (options) => runTurn(text, options)));
  }

  async interrupt(): Promise<void> {
    await interruptSession(this.#connection.client, this.session);
  }

  async #follow<T>(view: TurnView, run: (options: TurnOptions) => Promise<T>): Promise<T> {
    const shown = new AnswerText();
    try {
      return await run({
        client: this.#connection.client,
        sessionId: this.session,
        signal: view.signal,
        onLost: () => view.onNote('The connection was lost; trying again.'),
        onEvent: (event) => {
          const piece = shown.next(event);
          if (piece !== '') view.onText(piece);
          if (event.type === 'agent.tool_use' || event.type === 'agent.mcp_tool_use') {
            view.onNote(onOneLine(`[${event.name} ${JSON.stringify(event.input)}]`));
          }
        },
        answer: (call) => answerOf(call, view),
      });
    } catch (error) {
      if (view.signal.aborted) throw error;
      throw chatFailure(error, this.#connection);
    }
  }

  #told({ kind, message }: TurnOutcome): 'done' | 'interrupted' {
    switch (kind) {
      case 'end_turn':
        return 'done';
      case 'interrupted':
      case 'action_required':
        return 'interrupted';
      case 'failed':
        throw new ChatFailure(message ?? 'The turn failed.', false);
      case 'refused':
        throw new ChatFailure(`The model refused. ${message ?? ''}`.trim(), false);
      case 'budget_reached':
        throw new ChatFailure('The budget of the session is used up.', true);
      case 'session_deleted':
        throw new ChatFailure('The session was deleted.', true);
      default:
        return kind satisfies never;
    }
  }
}

function answerOf(call: PendingCall, { ask, onText }: TurnView): Promise<CallAnswer | undefined> {
  if (ask === undefined) return Promise.resolve({ kind: 'deny', message: NOBODY });
  return askPerson(call, ask, onText);
}
