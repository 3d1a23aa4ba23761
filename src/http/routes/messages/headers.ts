import type { IncomingHttpHeaders } from 'node:http';
import { describeIssues } from '../../../dialects/issues.ts';
import { AGENT_EVENT_MODES } from '../../../dialects/anthropic-messages/wire.ts';
import type { AgentEventMode } from '../../../dialects/anthropic-messages/wire.ts';
import { RoundhouseError } from '../../../errors.ts';
import { turnLimitOverridesSchema } from '../../../definitions/turn-limits.ts';
import type { TurnLimits } from '../../../definitions/turn-limits.ts';

/** What `x-priority` stands for where a slot must be waited for. */
const PRIORITIES = { low: -5, normal: 0, high: 5 } as const;

export const PRIORITY_NAMES = ['low', 'normal', 'high'] as const;

export const ON_BUSY = ['queue', 'reject'] as const;

/** Headers of the API that have no effect here; named in `x-roundhouse-ignored` when they are sent. */
const IGNORED_HEADERS = ['anthropic-user-profile-id', 'anthropic-workspace-id'] as const;

/** What Linux takes as a path. */
const MAX_WORKSPACE_BYTES = 4_096;

/** What the headers of a request for a message ask for. */
export interface MessageHeaders {
  readonly sessionName: string | undefined;
  readonly workspace: string | undefined;
  readonly agentEvents: AgentEventMode;
  readonly onBusy: (typeof ON_BUSY)[number];
  readonly priority: number;
  /** Of the session, from now on. */
  readonly sessionLimits: Partial<TurnLimits> | undefined;
  /** Of this turn only. */
  readonly turnLimits: Partial<TurnLimits> | undefined;
  readonly ignored: readonly string[];
}

/**
 * Reads `x-session-id`, `x-agent-events` (default `hide`), `x-on-busy` (default `queue`), `x-priority` (default `normal`),
 * `x-session-limits` and `x-turn-limits` (JSON, as `pool.limits` of the configuration) and `x-workspace` (a path, in UTF-8; the
 * pool looks at it); throws `invalid_request`.
 */
export function messageHeaders(headers: IncomingHttpHeaders): MessageHeaders {
  return {
    sessionName: single(headers, 'x-session-id'),
    workspace: workspace(single(headers, 'x-workspace')),
    agentEvents: choice(headers, 'x-agent-events', AGENT_EVENT_MODES, 'hide'),
    onBusy: choice(headers, 'x-on-busy', ON_BUSY, 'queue'),
    priority: PRIORITIES[choice(headers, 'x-priority', PRIORITY_NAMES, 'normal')],
    sessionLimits: limitsIn(headers, 'x-session-limits'),
    turnLimits: limitsIn(headers, 'x-turn-limits'),
    ignored: IGNORED_HEADERS.filter((name) => headers[name] !== undefined),
  };
}

function workspace(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  // Node reads headers as Latin-1; a path is a text in UTF-8.
  const path = Buffer.from(header, 'latin1').toString('utf8');
  if (header !== '' && header.length <= MAX_WORKSPACE_BYTES) return path;
  throw new RoundhouseError(
    'invalid_request',
    `x-workspace: expected an absolute path of at most ${MAX_WORKSPACE_BYTES} bytes, got ${header.length}`,
  );
}

function limitsIn(headers: IncomingHttpHeaders, name: string): Partial<TurnLimits> | undefined {
  const header = single(headers, name);
  if (header === undefined) return undefined;
  const value = parsedJson(header);
  const result = turnLimitOverridesSchema.safeParse(value);
  if (result.success) return result.data;
  throw new RoundhouseError(
    'invalid_request',
    `${name}: expected a JSON object such as {"silenceMs":120000}; ${describeIssues(result.error, value)}`,
  );
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // The schema says what was expected.
  }
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
