import type { Kept } from '../definitions/kept.ts';
import type { SessionDefinition } from '../definitions/session.ts';
import type { Usage } from '../events/record.ts';
import type { SessionInfo } from '../pool/session-info.ts';
import type { TurnPhase } from '../session/stream-handle.ts';
import { wallClockMs } from '../time/clock.ts';

/** What a session is doing, in the API's words. None of ours is ever `terminated`: each goes on with its next prompt. */
export type SessionActivity = 'idle' | 'running' | 'rescheduling';

/** A session as it is: what it was made of, and what it does. */
export interface SessionView {
  readonly kept: Kept<SessionDefinition>;
  readonly status: SessionActivity;
  /** Over all its turns that have ended. */
  readonly usage: Usage;
  /** Time that its agent has been at work, until now. */
  readonly activeSeconds: number;
  /** Since it was made. */
  readonly durationSeconds: number;
  /** When it, or what it was made of, last changed; wall clock, RFC 3339 in UTC. */
  readonly updatedAt: string;
}

/** What a session does whose turn, running or first to wait, is in that phase. */
export function activityOf(phase: TurnPhase | null): SessionActivity {
  switch (phase) {
    case null:
    case 'ended':
    case 'awaiting-client':
      return 'idle';
    case 'retrying':
      return 'rescheduling';
    case 'queued':
    case 'starting':
    case 'awaiting-first-message':
    case 'awaiting-first-token':
    case 'streaming':
    case 'tool':
      return 'running';
    default:
      return phase satisfies never;
  }
}

/** The session of a document; undefined where there is none behind it. */
export function viewOf(
  kept: Kept<SessionDefinition>,
  info: SessionInfo | undefined,
): SessionView | undefined {
  // Somebody may have made another one of that name.
  if (info === undefined || info.id !== kept.id) return undefined;
  const { phase, usage, activeMs, lastActiveAt } = info;
  return {
    kept,
    status: activityOf(phase),
    usage,
    activeSeconds: activeMs / 1000,
    durationSeconds: Math.max(0, (wallClockMs() - Date.parse(kept.createdAt)) / 1000),
    updatedAt: lastActiveAt > kept.updatedAt ? lastActiveAt : kept.updatedAt,
  };
}
