import type { ErrorCode } from '../../errors.ts';
import { RoundhouseError } from '../../errors.ts';

/** The code of a model request that failed with this HTTP status; null means that no answer came at all. */
export function upstreamErrorCode(status: number | null): ErrorCode {
  switch (status) {
    case 400:
      return 'upstream_invalid_request';
    case 401:
      return 'upstream_authentication';
    case 403:
      return 'upstream_permission';
    case 404:
      return 'upstream_not_found';
    case 413:
      return 'upstream_too_large';
    case 429:
      return 'upstream_rate_limited';
    case 529:
      return 'upstream_overloaded';
    default:
      return 'upstream_failed';
  }
}

/** Statuses that no retry can heal: the credential itself was refused. */
export function isCredentialRefusal(status: number | null): boolean {
  return status === 401 || status === 403;
}

/** A start that failed because of its circumstances. `cause` is for logs; it must not carry a secret. */
export function startFailure(message: string, cause?: unknown): RoundhouseError {
  return new RoundhouseError('session_connection_failed', message, { cause });
}

/** What the caller's signal stands for, as one of our errors. */
export function abortedStart(signal: AbortSignal): RoundhouseError {
  const reason: unknown = signal.reason;
  return reason instanceof RoundhouseError
    ? reason
    : startFailure('The start of the agent process was given up by its caller.', reason);
}
