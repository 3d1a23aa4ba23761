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

/** Written before the prompt is: from here on the prompt is never delivered again. */
export function deliveredRecord(turnId: string, clientId: string): NewRecord {
  return {
    turnId,
    body: { type: 'session.status_running', id: newEventId(), processed_at: wallClockIso() },
    detail: { delivered: true, clientId },
  };
}

export function interruptRecord(turnId: string | null): NewRecord {
  return {
    turnId,
    body: { type: 'user.interrupt', id: newEventId(), processed_at: wallClockIso() },
    detail: {},
  };
}

/** The record, or the two, that end a turn. A turn that was never delivered ends without touching the session's status. */
export function endRecords(turnId: string, end: TurnEnd, delivered: boolean): NewRecord[] {
  const detail: EventDetail = { turnEnd: end };
  const error: SessionEvent | undefined = end.error && {
    type: 'session.error',
    id: newEventId(),
    processed_at: wallClockIso(),
    error: wireError(end.error.code, end.error.message),
  };
  if (!delivered && error !== undefined) return [{ turnId, body: error, detail }];
  const idle: SessionEvent = {
    type: 'session.status_idle',
    id: newEventId(),
    processed_at: wallClockIso(),
    stop_details: null,
    stop_reason: stopReason(end),
  };
  const last: NewRecord = { turnId, body: idle, detail };
  return error === undefined || end.reason === 'interrupted'
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
  const exhausted: readonly (ErrorCode | undefined)[] = [
    'upstream_rate_limited',
    'upstream_overloaded',
    'upstream_failed',
  ];
  return { type: exhausted.includes(end.error?.code) ? 'retries_exhausted' : 'end_turn' };
}

function wireError(
  code: ErrorCode,
  message: string,
): Extract<SessionEvent, { type: 'session.error' }>['error'] {
  switch (code) {
    case 'upstream_overloaded':
      return { type: 'model_overloaded_error', message, retry_status: { type: 'exhausted' } };
    case 'upstream_rate_limited':
      return { type: 'model_rate_limited_error', message, retry_status: { type: 'exhausted' } };
    case 'upstream_failed':
      return { type: 'model_request_failed_error', message, retry_status: { type: 'exhausted' } };
    case 'upstream_authentication':
    case 'upstream_permission':
    case 'upstream_invalid_request':
    case 'upstream_not_found':
    case 'upstream_too_large':
      return { type: 'model_request_failed_error', message, retry_status: { type: 'terminal' } };
    default:
      return { type: 'unknown_error', message, retry_status: { type: 'terminal' } };
  }
}
