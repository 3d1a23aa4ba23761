import type { IncomingHttpHeaders } from 'node:http';
import { AGENT_EVENT_MODES } from '../../../dialects/anthropic-messages/wire.ts';
import type { AgentEventMode } from '../../../dialects/anthropic-messages/wire.ts';
import { RoundhouseError } from '../../../errors.ts';

const ON_BUSY = ['queue', 'reject'] as const;

/** Headers of the API that have no effect here; named in `x-roundhouse-ignored` when they are sent. */
const IGNORED_HEADERS = ['anthropic-user-profile-id', 'anthropic-workspace-id'] as const;

/** What the headers of a request for a message ask for. */
export interface MessageHeaders {
  readonly sessionName: string | undefined;
  readonly agentEvents: AgentEventMode;
  readonly onBusy: (typeof ON_BUSY)[number];
  readonly ignored: readonly string[];
}

/** Reads `x-session-id`, `x-agent-events` (default `hide`) and `x-on-busy` (default `queue`); throws `invalid_request`. */
export function messageHeaders(headers: IncomingHttpHeaders): MessageHeaders {
  return {
    sessionName: single(headers, 'x-session-id'),
    agentEvents: choice(headers, 'x-agent-events', AGENT_EVENT_MODES, 'hide'),
    onBusy: choice(headers, 'x-on-busy', ON_BUSY, 'queue'),
    ignored: IGNORED_HEADERS.filter((name) => headers[name] !== undefined),
  };
}

function single(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

function choice<T extends string>(
  headers: IncomingHttpHeaders,
  name: string,
  choices: readonly T[],
  fallback: T,
): T {
  const value = single(headers, name);
  if (value === undefined) return fallback;
  const chosen = choices.find((each) => each === value.trim().toLowerCase());
  if (chosen !== undefined) return chosen;
  throw new RoundhouseError(
    'invalid_request',
    `${name}: expected one of ${choices.join(', ')}, got ${JSON.stringify(value.slice(0, 60))}`,
  );
}
