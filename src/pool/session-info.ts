import type { SessionRow } from '../contracts/session-store.ts';
import type { Usage } from '../events/record.ts';
import type { SessionClient, SessionMetrics } from '../session/session-client.ts';
import type { SessionStatus } from '../session/states.ts';
import type { TurnPhase } from '../session/stream-handle.ts';
import { wallClockMs } from '../time/clock.ts';

/** A session as lists and details show it. */
export interface SessionInfo extends SessionMetrics {
  readonly id: string;
  readonly name: string;
  readonly status: SessionStatus;
  readonly phase: TurnPhase | null;
  readonly clientId: string | null;
  readonly model: string | null;
  /** Limits of its turns where it has its own. */
  readonly limits: SessionRow['limits'];
  readonly turnCount: number;
  readonly queuedTurns: number;
  readonly usage: Usage;
  readonly createdAt: string;
  readonly lastActiveAt: string;
  /** Time that its agent has been at work. */
  readonly activeMs: number;
  /** Since when it takes no prompts; null while it does. */
  readonly archivedAt: string | null;
}

/**
 * What is known of a session: from the store, and from memory where it is there. `hasUndelivered`: it has prompts of an
 * earlier host, which run when it comes into memory.
 */
export function sessionInfo(
  row: SessionRow,
  client: SessionClient | undefined,
  hasUndelivered = false,
): SessionInfo {
  const {
    id,
    name,
    usage,
    turnCount,
    createdAt,
    lastActiveAt,
    activeMs,
    archivedAt,
    options,
    limits,
  } = client?.row ?? row;
  const atRest: SessionMetrics = {
    ageSeconds: 0,
    idleSeconds: Math.max(0, (wallClockMs() - Date.parse(lastActiveAt)) / 1000),
    messageCount: turnCount,
    errorCount: 0,
    reused: false,
  };
  return {
    ...(client?.metrics ?? atRest),
    id,
    name,
    status: client?.status ?? 'disconnected',
    phase: client?.phase ?? (hasUndelivered ? 'queued' : null),
    clientId: client?.clientId ?? null,
    model: options.model ?? null,
    limits,
    turnCount,
    queuedTurns: client?.queuedTurns ?? 0,
    usage,
    createdAt,
    lastActiveAt,
    activeMs: client?.activeMs ?? activeMs,
    archivedAt,
  };
}
