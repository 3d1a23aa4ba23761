import type { TurnLimits } from '../definitions/turn-limits.ts';
import type { TurnPhase } from './stream-handle.ts';
import { ERROR_KINDS, type ErrorCode } from '../errors.ts';
import { NO_USAGE, type TurnEnd } from '../events/record.ts';

/** Why a turn is being stopped. The first cause wins. */
export interface StopCause {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterSeconds?: number | undefined;
}

export const INTERRUPTED_BY_CLIENT: StopCause = {
  code: 'turn_interrupted',
  message: 'The turn was interrupted by a client.',
};

export const WITHDRAWN: StopCause = {
  code: 'turn_cancelled',
  message: 'The prompt was withdrawn before it was delivered.',
};

export const ABANDONED: StopCause = {
  code: 'reader_left',
  message: 'The last reader left, so the turn was interrupted.',
};

/** Causes that are somebody's wish, not a failure. */
const WISHES: ReadonlySet<ErrorCode> = new Set([
  'turn_interrupted',
  'turn_cancelled',
  'reader_left',
]);

export function isWish(cause: StopCause): boolean {
  return WISHES.has(cause.code);
}

/** The end of a turn that did not come from the agent. */
export function endBy(cause: StopCause, reason: TurnEnd['reason'] = 'failed'): TurnEnd {
  const { code, message, retryAfterSeconds } = cause;
  return {
    reason,
    error: { code, message, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) },
    usage: NO_USAGE,
    modelRequests: 0,
    stopReason: null,
  };
}

/** What it means that a phase has lasted too long. `ended` stands for the limit of the whole turn. */
export function limitCause(phase: TurnPhase, limits: TurnLimits): StopCause {
  const [code, limitMs] = LIMIT_OF[phase](limits);
  return {
    code,
    message: `${ERROR_KINDS[code].when} The limit was ${limitMs} ms. ${ERROR_KINDS[code].next}`,
  };
}

const LIMIT_OF: Record<TurnPhase, (limits: TurnLimits) => readonly [ErrorCode, number]> = {
  queued: (limits) => ['queue_timeout', limits.queuedMs],
  starting: (limits) => ['session_connection_failed', limits.startMs],
  'awaiting-first-message': (limits) => ['first_message_timeout', limits.firstMessageMs],
  'awaiting-first-token': (limits) => ['first_token_timeout', limits.firstTokenMs],
  streaming: (limits) => ['stream_silence_timeout', limits.silenceMs],
  tool: (limits) => ['tool_timeout', limits.toolMs],
  'awaiting-client': (limits) => ['client_timeout', limits.awaitingClientMs],
  retrying: (limits) => ['upstream_failed', limits.retryingMs],
  ended: (limits) => ['turn_timeout', limits.turnMs],
};
