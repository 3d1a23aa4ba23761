import { errorBody } from '../dialects/anthropic-messages/error-body.ts';
import type { ErrorBody } from '../dialects/anthropic-messages/wire.ts';
import { asRoundhouseError, RoundhouseError } from '../errors.ts';

/** Seconds until a retry, where the error itself names none. */
const DEFAULT_RETRY_AFTER_SECONDS = 1;

/** Longest message of an error that is not ours. */
const MAX_FOREIGN_CHARS = 300;

/** An error ready to be sent. */
export interface HttpFailure {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: ErrorBody;
  readonly error: RoundhouseError;
}

/** The only place where errors become HTTP. `delivered`: the prompt has reached an agent, so sending it again repeats it. */
export function httpFailure(thrown: unknown, requestId: string, delivered = false): HttpFailure {
  const foreign = ofFastify(thrown);
  const error = foreign?.error ?? asRoundhouseError(thrown);
  const status = foreign?.status ?? error.kind.status;
  return {
    status,
    headers: { ...retryAfter(error, status), ...shouldRetry(error, status, delivered) },
    body: errorBody(error, requestId),
    error,
  };
}

function retryAfter(error: RoundhouseError, status: number): Record<string, string> {
  const seconds =
    error.retryAfterSeconds ?? (status === 503 ? DEFAULT_RETRY_AFTER_SECONDS : undefined);
  return seconds === undefined ? {} : { 'retry-after': String(Math.ceil(seconds)) };
}

/**
 * The SDKs send a request again by themselves after 408, 409, 429 and every 5xx. That must not happen where the prompt has
 * been delivered (its side effects would be repeated), nor where the client asked to be refused.
 */
function shouldRetry(
  error: RoundhouseError,
  status: number,
  delivered: boolean,
): Record<string, string> {
  const harmless = error.kind.retryable && !delivered && status !== 409;
  return harmless ? {} : { 'x-should-retry': 'false' };
}

/** Errors that Fastify throws by itself, by its codes. Their messages name the request only. */
function ofFastify(thrown: unknown): { error: RoundhouseError; status: number } | undefined {
  if (!(thrown instanceof Error) || thrown instanceof RoundhouseError) return undefined;
  const { code, statusCode } = { code: undefined, statusCode: undefined, ...codesOf(thrown) };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    const message = 'The request body is larger than server.maxBodyBytes allows; send less.';
    return {
      error: new RoundhouseError('payload_too_large', message, { cause: thrown }),
      status: 413,
    };
  }
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    const message =
      'Expected the header content-type: application/json; only POST /v1/files takes multipart/form-data.';
    return {
      error: new RoundhouseError('invalid_request', message, { cause: thrown }),
      status: 415,
    };
  }
  if (typeof statusCode !== 'number' || statusCode < 400 || statusCode > 499) return undefined;
  // It may quote the request at any length.
  const message = thrown.message.slice(0, MAX_FOREIGN_CHARS);
  const error = new RoundhouseError('invalid_request', message, { cause: thrown });
  return { error, status: statusCode };
}

function codesOf(error: Error): { code?: unknown; statusCode?: unknown } {
  return {
    ...('code' in error ? { code: error.code } : {}),
    ...('statusCode' in error ? { statusCode: error.statusCode } : {}),
  };
}
