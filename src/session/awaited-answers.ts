import type { AgentOptions, OpenCall, TakeUp } from '../contracts/agent-driver.ts';
import type { CallAnswer, PermissionDecision } from '../contracts/answerer.ts';
import { toolPermission } from '../contracts/tool-permission.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionEvent } from '../events/record.ts';

/** An event with which a client answers a call. */
export type AnswerEvent = Extract<
  SessionEvent,
  { type: 'user.tool_confirmation' | 'user.custom_tool_result' }
>;

/** A client's answer to a call that waits. */
export interface ClientAnswer {
  /** The id of the `agent.tool_use`, `agent.mcp_tool_use` or `agent.custom_tool_use` event. */
  readonly toolUseEventId: string;
  /** The event to be kept. */
  readonly body: AnswerEvent;
  /** What its request calls it, for what is refused: `events.0`. Default `answers`. */
  readonly field?: string;
}

/** The answer that an event is, if it is one. */
export function answerIn(body: SessionEvent): ClientAnswer | undefined {
  switch (body.type) {
    case 'user.tool_confirmation':
    case 'user.custom_tool_result':
      return { toolUseEventId: eventIdOf(body), body };
    default:
      return undefined;
  }
}

/** Why an answer is not taken. `answer`: undefined where none was given. */
export function refusedAnswer(answer: ClientAnswer | undefined, message: string): RoundhouseError {
  return new RoundhouseError('invalid_request', `${answer?.field ?? 'answers'}: ${message}.`);
}

/** A call that is in the log. */
export interface ShownCall {
  /** The id of the event of the call. */
  readonly eventId: string;
  readonly toolUseId: string;
}

/** A call that the client is asked about. */
export interface AskedCall extends ShownCall {
  /** The client runs the tool: its answer is the result. Default: it only gives leave. */
  readonly ofClient?: boolean;
}

interface Asked extends AskedCall {
  answer: AnswerEvent | undefined;
  /** Its leave was given to a process, or may have been. */
  handed: boolean;
}

/** What a turn has asked its client, and what came of it. It touches no process and no log. */
export class AwaitedAnswers {
  readonly #asked = new Map<string, Asked>();
  /** Calls that a further process has carried out, by the agent's ids. */
  readonly #takenUp = new Set<string>();
  /** The ids of the events of all calls that are open, by the agent's ids. */
  readonly #eventIds = new Map<string, string>();

  /** The events of the calls that have no answer, in the order of the calls. */
  get remaining(): string[] {
    return this.#all.flatMap(({ eventId, answer }) => (answer === undefined ? eventId : []));
  }

  get size(): number {
    return this.#asked.size;
  }

  /** Calls that no process has been given leave for, by the agent's ids. A result may be given again, and does nothing. */
  get neverHanded(): string[] {
    return this.#all.flatMap(({ toolUseId, handed }) => (handed ? [] : toolUseId));
  }

  /** The events of the calls that a process carries out once it is let go. */
  get carriedOut(): string[] {
    return this.#all.flatMap(({ eventId, ofClient }) => (ofClient === true ? [] : eventId));
  }

  /** Every call that is answered, with its answer. */
  get decisions(): { readonly toolUseId: string; readonly decision: CallAnswer }[] {
    return this.#all.flatMap(({ toolUseId, answer }) =>
      answer === undefined ? [] : { toolUseId, decision: decisionOf(answer) },
    );
  }

  /** A call has been shown, whether its client is asked or not: another process may have to carry it out. */
  show({ toolUseId, eventId }: ShownCall): void {
    this.#eventIds.set(toolUseId, eventId);
  }

  /** The id of the event of a call that is open. */
  eventOf(toolUseId: string): string | undefined {
    return this.#eventIds.get(toolUseId);
  }

  /** The client is asked about a call, if it is not yet. */
  ask(call: AskedCall): void {
    if (!this.#asked.has(call.eventId))
      this.#asked.set(call.eventId, { ...call, answer: undefined, handed: false });
  }

  /** Throws `invalid_request` unless every answer is to a call that waits for one, and no call is answered twice. */
  check(answers: readonly ClientAnswer[]): void {
    const { remaining } = this;
    const awaits = `the session awaits an answer to ${remaining.join(', ')}`;
    const seen = new Set<string>();
    for (const answer of answers) {
      const { toolUseEventId, body } = answer;
      const asked = this.#asked.get(toolUseEventId);
      if (asked === undefined || eventIdOf(body) !== toolUseEventId)
        throw refusedAnswer(answer, `${toolUseEventId} is no call that waits; ${awaits}`);
      const wanted = asked.ofClient === true ? 'user.custom_tool_result' : 'user.tool_confirmation';
      if (body.type !== wanted)
        throw refusedAnswer(answer, `${toolUseEventId} wants a ${wanted}, got a ${body.type}`);
      if (asked.answer !== undefined || seen.has(toolUseEventId))
        throw refusedAnswer(answer, `${toolUseEventId} is answered already; ${awaits}`);
      seen.add(toolUseEventId);
    }
  }

  /** What would be left without an answer after these. */
  remainingAfter(answers: readonly ClientAnswer[]): string[] {
    const given = new Set(answers.map(({ toolUseEventId }) => toolUseEventId));
    return this.remaining.filter((eventId) => !given.has(eventId));
  }

  /** The answers are kept. */
  take(answers: readonly AnswerEvent[]): void {
    for (const body of answers) {
      const asked = this.#asked.get(eventIdOf(body));
      if (asked !== undefined) asked.answer = body;
    }
  }

  /** A process may have been given the leave for these calls. */
  hand(eventIds: readonly string[]): void {
    for (const eventId of eventIds) {
      const asked = this.#asked.get(eventId);
      if (asked !== undefined && asked.ofClient !== true) asked.handed = true;
    }
  }

  /** A call has its result. */
  finish(eventId: string): void {
    this.#asked.delete(eventId);
    for (const [toolUseId, id] of this.#eventIds) {
      if (id === eventId) this.#eventIds.delete(toolUseId);
    }
  }

  /** A further process has carried a call out; it is not carried out by another one, whatever the transcript says. */
  finishTakenUp({ eventId, call }: Pick<TakeUp, 'eventId' | 'call'>): void {
    this.#takenUp.add(call.toolUseId);
    this.finish(eventId);
  }

  /** The model is asked again: every call has its result. */
  finishAll(): void {
    this.#asked.clear();
    this.#eventIds.clear();
  }

  /**
   * What a process goes on with, of the calls that are open. A leave that was handed on before is not handed on again: the
   * model is told that nobody knows. `handed` has the event of the call, when this hands its leave on.
   */
  takeUp(
    open: readonly OpenCall[],
    options: AgentOptions,
  ): { readonly takeUp: TakeUp; readonly handed: readonly string[] } | undefined {
    const [call] = open;
    if (call === undefined || this.#takenUp.has(call.toolUseId)) return undefined;
    const asked = this.#all.find(({ toolUseId }) => toolUseId === call.toolUseId);
    const decision = this.#decisionFor(call, asked, options);
    const { neverHanded } = this;
    const takeUp = {
      call,
      eventId: asked?.eventId ?? this.eventOf(call.toolUseId) ?? call.toolUseId,
      decision,
      neverHanded,
      last: open.length === 1,
    };
    const hands = asked !== undefined && decision.behavior === 'allow';
    return { takeUp, handed: hands ? [asked.eventId] : [] };
  }

  #decisionFor(
    { toolName }: OpenCall,
    asked: Asked | undefined,
    options: AgentOptions,
  ): CallAnswer {
    if (asked?.answer !== undefined) {
      const decision = decisionOf(asked.answer);
      return decision.behavior === 'allow' && asked.handed ? unknownOutcome(toolName) : decision;
    }
    // It stood behind the calls that waited; it has begun only if one of them was let go.
    if (this.#all.some(({ handed }) => handed)) return unknownOutcome(toolName);
    return toolPermission(options, toolName) === 'allow'
      ? { behavior: 'allow' }
      : notCarriedOut(toolName);
  }

  get #all(): Asked[] {
    return [...this.#asked.values()];
  }
}

function eventIdOf(body: AnswerEvent): string {
  return body.type === 'user.tool_confirmation' ? body.tool_use_id : body.custom_tool_use_id;
}

function decisionOf(body: AnswerEvent): CallAnswer {
  if (body.type === 'user.custom_tool_result') {
    const { content = [], is_error: isError } = body;
    const blocks = content.map((block) => ({ ...block }));
    return { behavior: 'result', result: { content: blocks, isError: isError === true } };
  }
  const { result, deny_message: message } = body;
  return result === 'allow'
    ? { behavior: 'allow' }
    : { behavior: 'deny', message: message ?? 'The client denied this call.' };
}

function unknownOutcome(toolName: string): PermissionDecision {
  const message = `It is not known whether this call of ${toolName} was carried out: the server stopped meanwhile. It was not repeated. Look at what is there before you call it again.`;
  return { behavior: 'deny', message };
}

function notCarriedOut(toolName: string): PermissionDecision {
  const message = `This call of ${toolName} was not carried out: the process was ended before it came to it. Call it again if it is still needed.`;
  return { behavior: 'deny', message };
}
