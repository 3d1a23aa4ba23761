import { isEvictable } from './eviction.ts';
import { watchMemory, type MemoryPressureParts } from './memory-pressure.ts';
import { errorText } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { every, sleep } from '../time/timers.ts';

/** Processes that were started together end up to this share of their life earlier, each by its own lot. */
const TTL_JITTER = 0.1;

/** Sessions that leave memory in one go, some 10 ms of it; thousands may have come to rest together. */
const FORGET_AT_ONCE = 200;

export interface HousekeepingParts extends Omit<MemoryPressureParts, 'telemetry'> {
  /** A snapshot: what is done here changes the sessions in memory. */
  readonly clients: () => readonly SessionClient[];
  /** Those of them that have a process, as a snapshot too. */
  readonly holders: () => readonly SessionClient[];
  /** Takes the process of a session at rest; the conversation stays. */
  readonly disconnect: (client: SessionClient, reason: 'idle' | 'expired' | 'recycled') => void;
  /** Takes a session without a process out of memory; the conversation stays. */
  readonly forget: (client: SessionClient) => void;
  readonly idleThresholdMs: number;
  readonly sessionTtlMs: number;
  readonly maxProcessBytes?: number | undefined;
  readonly maxTurnsPerProcess?: number | undefined;
  readonly cleanupIntervalMs: number;
  readonly telemetry: Telemetry;
}

/**
 * Looks over the sessions in memory from time to time: what has been at rest for long loses its process, then its place.
 * Idle counts from the end of the last turn; a running turn is never touched, however old it is. What processes hold is
 * measured by the way, for whoever has to choose between them. Returns how to stop.
 */
export function startHousekeeping(parts: HousekeepingParts): () => void {
  let stopped = false;
  const look = oneAtATime(() => lookOver(parts, () => stopped));
  // Apart, for a reading that hangs must not keep anybody's process or place.
  const measureAll = oneAtATime(() => measure(parts));
  const timer = every(parts.cleanupIntervalMs, () => {
    look();
    measureAll();
  });
  const stopWatching = watchMemory(parts);
  return () => {
    stopped = true;
    timer.cancel();
    stopWatching();
  };
}

/** Whether a process has held too much, or run too many turns, to run another one. */
export function isSpent(
  client: Pick<SessionClient, 'lastMemoryBytes' | 'turnsOfProcess'>,
  limits: Pick<HousekeepingParts, 'maxProcessBytes' | 'maxTurnsPerProcess'>,
): boolean {
  const { maxProcessBytes = Infinity, maxTurnsPerProcess = Infinity } = limits;
  // One that has run nothing is as small as it gets: to replace it again would go on for ever.
  if (client.turnsOfProcess === 0) return false;
  return (
    client.turnsOfProcess >= maxTurnsPerProcess || (client.lastMemoryBytes ?? 0) > maxProcessBytes
  );
}

async function lookOver(parts: HousekeepingParts, isStopped: () => boolean): Promise<void> {
  let forgotten = 0;
  for (const client of parts.clients()) {
    // What the store would not take is tried again, also when nobody asks for the session any more.
    void client.settle();
    if (!lookAfter(client, parts)) continue;
    forgotten += 1;
    if (forgotten % FORGET_AT_ONCE > 0) continue;
    await sleep(0);
    if (isStopped()) return;
  }
}

/** Leaves a call out while the one before is under way. `work` must not reject. */
function oneAtATime(work: () => Promise<void>): () => void {
  let working = false;
  return () => {
    if (working) return;
    working = true;
    void work().finally(() => {
      working = false;
    });
  };
}

/** True when the session leaves memory. */
function lookAfter(client: SessionClient, parts: HousekeepingParts): boolean {
  if (client.busy && !client.awaitsClient) return false;
  const { idleSeconds, ageSeconds } = client;
  const idle = idleSeconds * 1000 >= parts.idleThresholdMs;
  if (client.status === 'idle') {
    const ttlMs = parts.sessionTtlMs * (1 - TTL_JITTER * client.lot);
    if (idle) parts.disconnect(client, 'idle');
    else if (ageSeconds * 1000 >= ttlMs) parts.disconnect(client, 'expired');
  } else if (
    idle &&
    !client.busy &&
    (client.status === 'disconnected' || client.status === 'error') &&
    client.readerCount === 0
  ) {
    parts.forget(client);
    return true;
  }
  return false;
}

async function measure(parts: HousekeepingParts): Promise<void> {
  for (const client of parts.holders()) {
    try {
      await client.memoryBytes();
    } catch (error) {
      const { log } = parts.telemetry;
      log.debug?.('session_memory_unreadable', { sessionId: client.name, error: errorText(error) });
    }
    if (isEvictable(client) && isSpent(client, parts)) parts.disconnect(client, 'recycled');
  }
}
