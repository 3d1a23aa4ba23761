import type { SessionClient } from '../session/session-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { every } from '../time/timers.ts';

export interface HousekeepingParts {
  /** A snapshot: what is done here changes the sessions in memory. */
  readonly clients: () => readonly SessionClient[];
  /** Takes the process of a session at rest; the conversation stays. */
  readonly disconnect: (client: SessionClient, reason: 'idle' | 'expired') => void;
  /** Takes a session without a process out of memory; the conversation stays. */
  readonly forget: (client: SessionClient) => void;
  readonly idleThresholdMs: number;
  readonly sessionTtlMs: number;
  readonly cleanupIntervalMs: number;
  readonly telemetry: Telemetry;
}

/**
 * Looks over the sessions in memory from time to time: what has been at rest for long loses its process, then its place.
 * Idle counts from the end of the last turn; a running turn is never touched, however old it is. Returns how to stop.
 */
export function startHousekeeping(parts: HousekeepingParts): () => void {
  const timer = every(parts.cleanupIntervalMs, () => {
    for (const client of parts.clients()) lookAfter(client, parts);
  });
  return () => timer.cancel();
}

function lookAfter(client: SessionClient, parts: HousekeepingParts): void {
  if (client.busy) return;
  const { idleSeconds, ageSeconds } = client.metrics;
  const idle = idleSeconds * 1000 >= parts.idleThresholdMs;
  if (client.status === 'idle') {
    if (idle) parts.disconnect(client, 'idle');
    else if (ageSeconds * 1000 >= parts.sessionTtlMs) parts.disconnect(client, 'expired');
  } else if (
    idle &&
    (client.status === 'disconnected' || client.status === 'error') &&
    client.readerCount === 0
  ) {
    parts.forget(client);
  }
}
