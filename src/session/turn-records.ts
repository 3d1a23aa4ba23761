import type { AnswerEvent } from './awaited-answers.ts';
import { isWish, type StopCause } from './stop-cause.ts';
import type { ErrorCode } from '../errors.ts';
import { newEventId } from '../events/ids.ts';
import type {
  EventDetail,
  NewRecord,
  PromptContent,
  PromptOptions,
  SessionEvent,
  TurnEnd,
} from '../events/record.ts';
import { wallClockIso } from '../time/clock.ts';

/** The records that the host itself writes for a turn; the agent's come from its driver. */

export function promptRecord(
  turnId: string,
  content: PromptContent,
  prompt: PromptOptions,
): NewRecord {
  return { turnId, body: { type: 'user.message', id: newEventId(), content }, detail: { prompt } };
}

/**
 * Written before the prompt is: from here on the prompt is never delivered again. `promptId` stands for it in the
 * transcript, if it gets there.
 */
export function deliveredRecord(turnId: string, clientId: string, promptId: string): NewRecord {
  return {
    turnId,
    body: { type: 'session.status_running', id: newEventId(), processed_at: wallClockIso() },
    detail: { delivered: true, clientId, transcriptUuid: promptId },
  };
}

/** The turn waits for its client to answer these calls: no end, the turn goes on. */
export function awaitingRecord(turnId: string, eventIds: readonly string[]): NewRecord {
  return {
    turnId,
    body: {
      type: 'session.status_idle',
      id: newEventId(),
      processed_at: wallClockIso(),
      stop_details: null,
      stop_reason: { type: 'requires_action', event_ids: [...eventIds] },
    },
    detail: {},
  };
}

/** A client's answer to a call. */
export function answerRecord(turnId: string, body: AnswerEvent): NewRecord {
  return {
    turnId,
    body: { ...body, processed_at: body.processed_at ?? wallClockIso() },
    detail: {},
  };
}

/** The turn goes on. `handed`: the calls that a process may carry out from here on. */
export function goesOnRecord(turnId: string, handed: readonly string[]): NewRecord {
  return {
    turnId,
    body: { type: 'session.status_running', id: newEventId(), processed_at: wallClockIso() },
    detail: handed.length === 0 ? {} : { handed },
  };
}

/** A further process takes the turn up, and may carry out these calls; that the turn goes on stands in the log already. */
export function takenUpRecord(turnId: string, handed: readonly string[]): NewRecord {
  const record = goesOnRecord(turnId, handed);
  return { ...record, detail: { ...record.detail, takenUp: true } };
}

export function interruptRecord(turnId: string | null): NewRecord {
  return {
    turnId,
    body: { type: 'user.interrupt', id: newEventId(), processed_at: wallClockIso() },
    detail: {},
  };
}

/**
 * The record, or the two, that end a turn. `rests`: no other turn runs, so the session is idle from now on. A prompt that is
 * withdrawn from behind a running turn leaves the session's status alone. `budgetSpent`: nothing is left of the session's
 * budget after it, however it ended.
 */
export function endRecords(
  turnId: string,
  end: TurnEnd,
  rests: boolean,
  budgetSpent = false,
): NewRecord[] {
  const byBudget = end.error?.code === 'budget_reached';
  const detail: EventDetail = { turnEnd: end };
  const failure = wireError(end);
  const error: SessionEvent | undefined = failure && {
    type: 'session.error',
    id: newEventId(),
    processed_at: wallClockIso(),
    error: failure,
  };
  if (!rests && error !== undefined) return [{ turnId, body: error, detail }];
  const idle: SessionEvent = {
    type: 'session.status_idle',
    id: newEventId(),
    processed_at: wallClockIso(),
    stop_details: null,
    stop_reason: byBudget || budgetSpent ? { type: 'budget_reached' } : stopReason(end),
  };
  const last: NewRecord = { turnId, body: idle, detail };
  const isWished = end.reason === 'interrupted' || end.reason === 'cancelled';
  // That the budget is spent is no error to the API: the status says it.
  return error === undefined || isWished || byBudget
    ? [last]
    : [{ turnId, body: error, detail: {} }, last];
}

/** What the turn came to, after the first cause has had its word: an agent's own end counts only where nobody stopped it. */
export function effectiveEnd(end: TurnEnd, cause: StopCause | undefined): TurnEnd {
  if (cause === undefined || (end.reason !== 'interrupted' && end.reason !== 'failed')) return end;
  const { code, message } = cause;
  return { ...end, reason: isWish(cause) ? 'interrupted' : 'failed', error: { code, message } };
}

function stopReason(
  end: TurnEnd,
): Extract<SessionEvent, { type: 'session.status_idle' }>['stop_reason'] {
  if (end.reason === 'refusal') return { type: 'refusal' };
  // What the API calls a turn that an error has ended, whatever was retried.
  const failed = end.reason === 'failed' || end.reason === 'max_turns';
  return { type: failed ? 'retries_exhausted' : 'end_turn' };
}

type WireError = Extract<SessionEvent, { type: 'session.error' }>['error'];

/** Always `exhausted`: this turn is dead, the session goes on. `terminal` would say that the session has come to its end. */
function wireError({ reason, error }: TurnEnd): WireError | undefined {
  const retry_status = { type: 'exhausted' } as const;
  if (reason === 'max_turns') {
    const message = 'The turn has reached the limit of its model requests.';
    return { type: 'tool_use_limit_reached_error', message, retry_status };
  }
  return error && { type: errorType(error.code), message: error.message, retry_status };
}

function errorType(code: ErrorCode) {
  switch (code) {
    case 'upstream_overloaded':
      return 'model_overloaded_error';
    case 'upstream_rate_limited':
      return 'model_rate_limited_error';
    case 'upstream_failed':
    case 'upstream_authentication':
    case 'upstream_permission':
    case 'upstream_invalid_request':
    case 'upstream_not_found':
    case 'upstream_too_large':
      return 'model_request_failed_error';
    default:
      return 'unknown_error';
  }
}
