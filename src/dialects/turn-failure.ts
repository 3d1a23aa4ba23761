import { ERROR_KINDS, RoundhouseError } from '../errors.ts';
import type { ErrorCode } from '../errors.ts';
import type { TurnEnd } from '../events/record.ts';

/**
 * The error that a turn's end stands for, or undefined when the turn has an answer (`completed`, `max_tokens`, `refusal`,
 * `max_turns`). Every dialect shows it in its own shape.
 */
export function turnFailure(end: TurnEnd): RoundhouseError | undefined {
  switch (end.reason) {
    case 'completed':
    case 'max_tokens':
    case 'refusal':
    case 'max_turns':
      return undefined;
    case 'interrupted':
      return failure(end, 'turn_interrupted');
    case 'cancelled':
      return failure(end, 'turn_cancelled');
    case 'failed':
      return failure(end, 'agent_failed');
    default:
      return end.reason satisfies never;
  }
}

function failure(end: TurnEnd, fallback: ErrorCode): RoundhouseError {
  if (end.error === undefined) return new RoundhouseError(fallback, ERROR_KINDS[fallback].when);
  const { code, message, retryAfterSeconds } = end.error;
  return new RoundhouseError(
    code,
    message,
    retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
  );
}
