/**
 * The one error class of the project and its closed list of codes. Foreign errors (the agent's, the upstream's, the
 * database's) are mapped to it where they enter; from there on only the code decides, never a text.
 */

/** What the code means to the client: the HTTP status, the error type in Anthropic's wire format, and the next step. */
export interface ErrorKind {
  /** HTTP status when the error is known before the first byte. */
  readonly status: number;
  /** `error.type` on the wire: Anthropic's names where one fits. */
  readonly type: string;
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean;
  /** One sentence for `docs/errors.md`: when it happens. */
  readonly when: string;
  /** One sentence: what the reader should do. */
  readonly next: string;
}

function kind(
  status: number,
  type: string,
  retryable: boolean,
  when: string,
  next: string,
): ErrorKind {
  return { status, type, retryable, when, next };
}

/** Every code there is. `docs/errors.md` is held equal to this table by a test. */
export const ERROR_KINDS = {
  invalid_request: kind(
    400,
    'invalid_request_error',
    false,
    'A request or an argument is not of the expected form.',
    'Correct the field that the message names.',
  ),
  unsupported_field: kind(
    400,
    'invalid_request_error',
    false,
    'The request asks for something that this server cannot honour and will not ignore.',
    'Remove the field; docs/http-api.md and docs/managed-agents.md list what takes effect.',
  ),
  unauthorized: kind(
    401,
    'authentication_error',
    false,
    'The server requires a key and the request has none, or a wrong one.',
    'Send a key of this server as x-api-key or as a bearer token.',
  ),
  forbidden: kind(
    403,
    'permission_error',
    false,
    'The key is valid but may not do this.',
    'Use a key with that right.',
  ),
  workspace_not_allowed: kind(
    403,
    'permission_error',
    false,
    'The folder that was named is not one that this key may work in.',
    'Name a folder of the allow-list, or let the operator add it.',
  ),
  workspace_unavailable: kind(
    400,
    'invalid_request_error',
    false,
    'The folder of the session is not there, or is no folder, or the server may not enter it; or the repository for it can not be cloned.',
    'Make the folder, or name another; what a clone failed of, the message says.',
  ),
  not_found: kind(404, 'not_found_error', false, 'No such route or resource.', 'Check the path.'),
  session_not_found: kind(
    404,
    'not_found_error',
    false,
    'No session of that name belongs to this key.',
    'Check the id; a session is visible only to the key that made it.',
  ),
  model_not_found: kind(
    404,
    'not_found_error',
    false,
    'The model is not one that this server offers.',
    'Choose one of GET /v1/models.',
  ),
  version_conflict: kind(
    409,
    'conflict_error',
    false,
    'What is to be changed was changed by somebody else since it was read.',
    'Retrieve it again and decide anew.',
  ),
  idempotency_conflict: kind(
    409,
    'conflict_error',
    false,
    'The idempotency key has been used for another request before.',
    'Use a new key for a new request, and the same body for a repetition.',
  ),
  agent_archived: kind(
    400,
    'invalid_request_error',
    false,
    'The agent is archived: it can not be changed, and nothing new begins with it.',
    'Create another one.',
  ),
  environment_archived: kind(
    400,
    'invalid_request_error',
    false,
    'The environment is archived: it can not be changed, and nothing new begins in it.',
    'Create another one.',
  ),
  environment_in_use: kind(
    409,
    'conflict_error',
    false,
    'The environment has sessions, which could not start any more without it.',
    'Delete its sessions first, or archive it.',
  ),
  session_archived: kind(
    400,
    'invalid_request_error',
    false,
    'The session is archived: it can be read, and takes no more events.',
    'Create another one.',
  ),
  storage_quota_exceeded: kind(
    400,
    'invalid_request_error',
    false,
    'The files of this key are as many, or as large together, as they may be.',
    'Delete files that are not needed any more, or raise files.maxKeyBytes or files.maxKeyFiles.',
  ),
  file_expired: kind(
    404,
    'not_found_error',
    false,
    'The time that the file was sent for has passed; its bytes are gone.',
    'Send the file again.',
  ),
  budget_reached: kind(
    402,
    'billing_error',
    false,
    'The session has cost what its budget allows, or what it costs can not be told.',
    'Raise its budget, or remove it, and prompt again.',
  ),
  session_busy: kind(
    409,
    'invalid_request_error',
    true,
    'The session is running a turn and the caller asked not to queue.',
    'Wait for the turn to end, interrupt it, or let the prompt queue.',
  ),
  queue_timeout: kind(
    503,
    'overloaded_error',
    true,
    'The prompt waited too long for the earlier turns of its session.',
    'Retry later, or interrupt the running turn.',
  ),
  key_limit_reached: kind(
    429,
    'rate_limit_error',
    true,
    'The key has as many turns running or queued as it may.',
    'Retry after the time that the Retry-After header names.',
  ),
  session_limit_reached: kind(
    429,
    'rate_limit_error',
    false,
    'The key has as many sessions as it may.',
    'Delete a session that is not needed any more, or raise maxSessions of the key.',
  ),
  session_ended: kind(
    409,
    'invalid_request_error',
    false,
    'The session was closed for good while the call waited.',
    'Use a new session id.',
  ),
  payload_too_large: kind(
    413,
    'request_too_large',
    false,
    'The request body, a file in it, or what it names of files is larger than the limit.',
    'Send less, or raise server.maxBodyBytes, for files files.maxFileBytes.',
  ),
  pool_disabled: kind(
    500,
    'configuration_error',
    false,
    'The session pool is switched off by configuration.',
    'Set pool.enabled to true.',
  ),
  configuration_invalid: kind(
    500,
    'configuration_error',
    false,
    'The configuration has mistakes; the server does not start.',
    'Correct what the message lists.',
  ),
  storage_failed: kind(
    500,
    'api_error',
    true,
    'The store could not read or write.',
    'Check disk space and rights of the data directory; nothing unacknowledged was kept.',
  ),
  internal: kind(
    500,
    'api_error',
    true,
    'A defect of this server.',
    'Report it with the request id.',
  ),
  agent_unavailable: kind(
    500,
    'api_error',
    false,
    'The Claude Code executable is missing or does not run.',
    'Reinstall without --omit=optional, or set agent.executable.',
  ),
  pool_at_capacity: kind(
    503,
    'overloaded_error',
    true,
    'No slot or place became free within the waiting time.',
    'Retry after the time that the Retry-After header names.',
  ),
  queue_full: kind(
    503,
    'overloaded_error',
    true,
    'The bounded queue for a slot, or of the session, is full.',
    'Retry after the time that the Retry-After header names.',
  ),
  draining: kind(
    503,
    'overloaded_error',
    true,
    'The server is shutting down and takes no new turns.',
    'Retry against the next instance.',
  ),
  session_connection_failed: kind(
    503,
    'overloaded_error',
    true,
    'The agent process of the session could not be started.',
    'Retry; the message carries what the process said last.',
  ),
  session_moved: kind(
    503,
    'overloaded_error',
    true,
    'Another owner has taken the session over.',
    'Retry; the new owner answers.',
  ),
  turn_interrupted: kind(
    409,
    'invalid_request_error',
    true,
    'The turn was interrupted by a client.',
    'Prompt again; the conversation goes on.',
  ),
  turn_cancelled: kind(
    409,
    'invalid_request_error',
    true,
    'The prompt was withdrawn before it was delivered.',
    'Prompt again.',
  ),
  interrupted_by_crash: kind(
    502,
    'api_error',
    true,
    'The host died during the turn; the prompt was not sent again.',
    'Prompt again; the conversation goes on.',
  ),
  agent_died: kind(
    502,
    'api_error',
    true,
    'The agent process ended during the turn; the prompt was not sent again.',
    'Prompt again; the conversation goes on.',
  ),
  agent_failed: kind(
    502,
    'api_error',
    true,
    'The agent ended the turn with an error of its own.',
    'Read the message; prompt again.',
  ),
  first_message_timeout: kind(
    504,
    'timeout_error',
    true,
    'The agent process did not answer a prompt at all within the limit; it was replaced.',
    'Prompt again.',
  ),
  first_token_timeout: kind(
    504,
    'timeout_error',
    true,
    'The model sent no first token within the limit.',
    'Prompt again.',
  ),
  stream_silence_timeout: kind(
    504,
    'timeout_error',
    true,
    'The model went silent in the middle of an answer for longer than the limit.',
    'Prompt again.',
  ),
  tool_timeout: kind(
    504,
    'timeout_error',
    true,
    'A tool ran longer than the limit.',
    'Prompt again, or raise the limit.',
  ),
  client_timeout: kind(
    504,
    'timeout_error',
    true,
    'Nobody answered a permission request or a tool call within the limit.',
    'Prompt again and answer in time.',
  ),
  turn_timeout: kind(
    504,
    'timeout_error',
    true,
    'The whole turn took longer than the limit.',
    'Prompt again, or raise the limit.',
  ),
  reader_too_slow: kind(
    503,
    'overloaded_error',
    true,
    'The reader did not take its events in time and was cut off.',
    'Read again from the last number that was seen.',
  ),
  reader_left: kind(
    499,
    'invalid_request_error',
    false,
    'The last reader of a one-shot turn left, so the turn was interrupted.',
    'Nothing: nobody was waiting.',
  ),
  upstream_invalid_request: kind(
    400,
    'invalid_request_error',
    false,
    'The model API refused the request.',
    'Read the message.',
  ),
  upstream_authentication: kind(
    401,
    'authentication_error',
    false,
    "The model API refused the server's credential.",
    'Set a valid upstream credential and restart.',
  ),
  upstream_permission: kind(
    403,
    'permission_error',
    false,
    "The model API refused the server's credential for this.",
    'Check the rights of the upstream credential.',
  ),
  upstream_not_found: kind(
    404,
    'not_found_error',
    false,
    'The model API does not know the model.',
    'Choose another model.',
  ),
  upstream_too_large: kind(
    413,
    'request_too_large',
    false,
    'The model API found the conversation too large.',
    'Start a new session.',
  ),
  upstream_rate_limited: kind(
    429,
    'rate_limit_error',
    true,
    'The model API limited the rate, also after retries.',
    'Retry later.',
  ),
  upstream_overloaded: kind(
    529,
    'overloaded_error',
    true,
    'The model API is overloaded, also after retries.',
    'Retry later.',
  ),
  upstream_failed: kind(
    502,
    'api_error',
    true,
    'The model API failed or could not be reached, also after retries.',
    'Retry later.',
  ),
} as const satisfies Record<string, ErrorKind>;

/** A code of {@link ERROR_KINDS}. */
export type ErrorCode = keyof typeof ERROR_KINDS;

export interface RoundhouseErrorOptions {
  /** The error that caused this one; logged, never sent to a client. */
  cause?: unknown;
  /** Seconds until a retry is worth it; sent as `Retry-After`. */
  retryAfterSeconds?: number;
  /** Facts for logs and libraries: no secret, no prompt text. */
  fields?: Readonly<Record<string, unknown>>;
}

/** An error with a {@link ErrorCode}. `message` says what, expected, got, next step; clients see it. */
export class RoundhouseError extends Error {
  override readonly name = 'RoundhouseError';
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: RoundhouseErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.fields = options.fields ?? {};
  }

  /** Status, wire type and advice of this error's code. */
  get kind(): ErrorKind {
    return ERROR_KINDS[this.code];
  }
}

/** Returns `error` if it is one of ours, else wraps it under `code` with its text in the cause only. */
export function asRoundhouseError(error: unknown, code: ErrorCode = 'internal'): RoundhouseError {
  if (error instanceof RoundhouseError) return error;
  return new RoundhouseError(code, ERROR_KINDS[code].when, { cause: error });
}

/** The text of anything thrown, for logs and for the end of a message. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
