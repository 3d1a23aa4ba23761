import type Anthropic from '@anthropic-ai/sdk';
import type { BetaManagedAgentsEventParams } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { randomUUID } from 'node:crypto';

import {
  answerEvent,
  CALL_TYPES,
  isCall,
  type CallAnswer,
  type PendingCall,
} from './pending-call.ts';
import { SessionFeed, type FeedEvent } from './session-feed.ts';
import type { TurnOutcome } from './turn-outcome.ts';
import { TurnWatch } from './turn-watch.ts';

/** Tries of a request that the server answers once, however often it is asked: it carries an idempotency key. */
const SEND_RETRIES = 3;

/** What a turn is followed with. */
export interface TurnOptions {
  readonly client: Anthropic;
  readonly sessionId: string;
  /** Leaves the turn alone and stops listening. */
  readonly signal: AbortSignal;
  /** Gets every event of the turn and every preview, in order. */
  readonly onEvent: (event: FeedEvent) => void;
  /** Answers a call that waits; undefined where nobody can, which ends the wait with `action_required`. */
  readonly answer: (call: PendingCall) => Promise<CallAnswer | undefined>;
  /** Is told that the connection was lost; the turn is followed on. */
  readonly onLost: (error: unknown) => void;
}

/**
 * Sends a prompt into a session and follows its turn to the end. Rejects when a request fails, and with the signal's reason
 * when it aborts.
 */
export async function runTurn(prompt: string, options: TurnOptions): Promise<TurnOutcome> {
  const { client, sessionId } = options;
  // Before the prompt, so that nothing of its turn is missed.
  let watch: TurnWatch | undefined;
  const onLost = (error: unknown): void => {
    if (feed.lastEventId === promptId) watch?.passedPrompt();
    options.onLost(error);
  };
  const feed = await openFeed({ ...options, onLost }, undefined);
  const { status } = await client.beta.sessions.retrieve(sessionId);
  const [promptId = ''] = await sendEvents(client, sessionId, [
    { type: 'user.message', content: [{ type: 'text', text: prompt }] },
  ]);
  feed.begunBehind(promptId);
  watch = new TurnWatch(promptId, status === 'running');
  return followTurn(options, feed, watch, new Map());
}

/**
 * Takes up a turn that waits for an action of its client, and follows it to the end, as {@link runTurn} does. Undefined where
 * no turn of the session waits so.
 */
export async function takeUpTurn(options: TurnOptions): Promise<TurnOutcome | undefined> {
  const { client, sessionId } = options;
  const { data } = await client.beta.sessions.events.list(sessionId, {
    types: ['session.status_idle', 'session.status_running'],
    order: 'desc',
    limit: 1,
  });
  const last = data[0];
  if (last?.type !== 'session.status_idle' || last.stop_reason.type !== 'requires_action') {
    return undefined;
  }
  const calls = new Map<string, PendingCall>();
  const feed = await openFeed(options, last.id);
  const { event_ids } = last.stop_reason;
  if (!(await answerAll(options, event_ids, calls))) return actionRequired(event_ids, calls);
  return followTurn(options, feed, new TurnWatch(undefined, false), calls);
}

/** Opens the stream, from an event on or from now on. */
function openFeed(
  { client, sessionId, signal, onLost }: TurnOptions,
  behind: string | undefined,
): Promise<SessionFeed> {
  return SessionFeed.open({
    client,
    sessionId,
    previews: ['agent.message'],
    signal,
    onLost,
    ...(behind !== undefined && { after: behind }),
  });
}

async function followTurn(
  options: TurnOptions,
  feed: SessionFeed,
  watch: TurnWatch,
  calls: Map<string, PendingCall>,
): Promise<TurnOutcome> {
  const { signal, onEvent } = options;
  for await (const event of feed) {
    if (event.type === 'session.deleted') return { kind: 'session_deleted' };
    if (!watch.sees(event)) continue;
    if (isCall(event)) calls.set(event.id, event);
    onEvent(event);
    if (event.type !== 'session.status_idle') continue;
    const { stop_reason } = event;
    if (stop_reason.type !== 'requires_action') return watch.outcome(event);
    const { event_ids } = stop_reason;
    if (!(await answerAll(options, event_ids, calls))) return actionRequired(event_ids, calls);
  }
  signal.throwIfAborted();
  throw new Error('The stream of the session ended before its turn.');
}

/** Ends the running turn; the session stays. */
export async function interruptSession(client: Anthropic, sessionId: string): Promise<void> {
  await sendEvents(client, sessionId, [{ type: 'user.interrupt' }]);
}

/** Sends events, once, however often it has to be tried. Resolves with their ids. */
async function sendEvents(
  client: Anthropic,
  sessionId: string,
  events: BetaManagedAgentsEventParams[],
): Promise<string[]> {
  const { data = [] } = await client.beta.sessions.events.send(
    sessionId,
    { events },
    { headers: { 'idempotency-key': randomUUID() }, maxRetries: SEND_RETRIES },
  );
  return data.map(({ id }) => id);
}

/** Whether all of the calls could be answered. */
async function answerAll(
  { client, sessionId, answer }: TurnOptions,
  ids: readonly string[],
  calls: Map<string, PendingCall>,
): Promise<boolean> {
  if (ids.some((id) => !calls.has(id))) await findCalls(client, sessionId, calls);
  const answers: BetaManagedAgentsEventParams[] = [];
  for (const id of ids) {
    const call = calls.get(id);
    const given = call && (await answer(call));
    if (call === undefined || given === undefined) return false;
    answers.push(answerEvent(call, given));
  }
  await sendEvents(client, sessionId, answers);
  return true;
}

/** Calls that were made before this client came. */
async function findCalls(
  client: Anthropic,
  sessionId: string,
  calls: Map<string, PendingCall>,
): Promise<void> {
  const page = await client.beta.sessions.events.list(sessionId, {
    types: [...CALL_TYPES],
    order: 'desc',
    limit: 100,
  });
  for (const event of page.data) if (isCall(event)) calls.set(event.id, event);
}

/** What nobody here could answer. */
function actionRequired(
  ids: readonly string[],
  calls: ReadonlyMap<string, PendingCall>,
): TurnOutcome {
  const names = ids.map((id) => calls.get(id)?.name ?? id).join(', ');
  return { kind: 'action_required', message: names };
}
