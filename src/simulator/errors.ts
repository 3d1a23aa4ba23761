/** An error of the API with the HTTP status it is answered with; thrown while a request is read. */
export class ApiError extends Error {
  /** 400 to 599. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** The body of every error answer of the Anthropic API. */
export interface ErrorBody {
  type: 'error';
  error: { type: string; message: string };
  request_id: string;
}

/** Source: https://docs.claude.com/en/api/errors and `ErrorType` of @anthropic-ai/sdk. */
const TYPE_BY_STATUS: ReadonlyMap<number, string> = new Map([
  [400, 'invalid_request_error'],
  [401, 'authentication_error'],
  [402, 'billing_error'],
  [403, 'permission_error'],
  [404, 'not_found_error'],
  [409, 'conflict_error'],
  [413, 'request_too_large'],
  [429, 'rate_limit_error'],
  [500, 'api_error'],
  [504, 'timeout_error'],
  [529, 'overloaded_error'],
]);

/** Anthropic's error type for an HTTP status; a status without one of its own gets that of its class. */
export function errorTypeOf(status: number): string {
  return TYPE_BY_STATUS.get(status) ?? (status < 500 ? 'invalid_request_error' : 'api_error');
}

/** Builds the error body for a status. */
export function errorBody(status: number, message: string, requestId: string): ErrorBody {
  return { type: 'error', error: { type: errorTypeOf(status), message }, request_id: requestId };
}
