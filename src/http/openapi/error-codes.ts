import { ERROR_KINDS, type ErrorCode } from '../../errors.ts';
import type { Route } from './route-list.ts';

/** What can stop a prompt on its way to an agent, and the turn behind it. */
export const TURN_ERRORS = [
  'session_archived',
  'budget_reached',
  'session_busy',
  'queue_timeout',
  'turn_interrupted',
  'turn_cancelled',
  'interrupted_by_crash',
  'agent_died',
  'agent_failed',
  'first_message_timeout',
  'first_token_timeout',
  'stream_silence_timeout',
  'tool_timeout',
  'client_timeout',
  'turn_timeout',
  'reader_too_slow',
  'upstream_invalid_request',
  'upstream_authentication',
  'upstream_permission',
  'upstream_not_found',
  'upstream_too_large',
  'upstream_rate_limited',
  'upstream_overloaded',
  'upstream_failed',
] as const satisfies ErrorCode[];

/** What can keep a session from being given out. */
export const SESSION_ERRORS = [
  'key_limit_reached',
  'session_limit_reached',
  'session_ended',
  'workspace_not_allowed',
  'workspace_unavailable',
  'pool_disabled',
  'agent_unavailable',
  'pool_at_capacity',
  'queue_full',
  'draining',
  'session_connection_failed',
  'session_moved',
] as const satisfies ErrorCode[];

/** What can keep a known session from coming into memory. */
export const PLACE_ERRORS = [
  'session_ended',
  'pool_at_capacity',
  'queue_full',
  'draining',
  'session_moved',
] as const satisfies ErrorCode[];

/** Statuses of `invalid_request` that HTTP has words of its own for: an address too long, a body that is no JSON. */
const ADDRESS_TOO_LONG = 414;
const NOT_JSON = 415;

/** The codes of all errors that a route can answer with, by status. */
export function errorsByStatus({
  method,
  url,
  public: isPublic,
  operation,
}: Route): ReadonlyMap<number, readonly ErrorCode[]> {
  const takesBody = method !== 'GET';
  const codes = new Set<ErrorCode>([
    // An address that is none.
    'invalid_request',
    ...(isPublic ? [] : (['unauthorized', 'forbidden', 'storage_failed'] as const)),
    ...(takesBody ? (['payload_too_large'] as const) : []),
    ...(operation?.errors ?? []),
    'internal',
  ]);
  const byStatus = new Map<number, ErrorCode[]>();
  const add = (status: number, code: ErrorCode): void => {
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  };
  for (const code of codes) add(ERROR_KINDS[code].status, code);
  if (url.includes(':')) add(ADDRESS_TOO_LONG, 'invalid_request');
  if (takesBody) add(NOT_JSON, 'invalid_request');
  return new Map([...byStatus].toSorted(([a], [b]) => a - b));
}
