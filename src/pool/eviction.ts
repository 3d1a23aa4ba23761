import type { SessionClient } from '../session/session-client.ts';

/**
 * How long a process that has not run a turn yet is left alone. Whoever asked for it is about to prompt; taking it away at
 * once could go on for ever between two callers.
 */
export const UNUSED_GRACE_SECONDS = 1;

/** Whether the process of this session may be taken: one that runs, or has prompts waiting, never. */
export function isEvictable(client: SessionClient): boolean {
  return client.status === 'idle' && !client.busy && !isFresh(client);
}

/** Whether somebody is likely about to prompt: it came into memory, or got its process, just now and has run no turn there. */
export function isFresh(client: SessionClient): boolean {
  return client.turnsOfProcess === 0 && client.metrics.idleSeconds < UNUSED_GRACE_SECONDS;
}

/**
 * The session whose process is taken next: sessions that nobody reads before those with readers (whose streams outlive
 * the process, but who are likely to prompt), then the least recently used.
 */
export function chooseVictim(clients: Iterable<SessionClient>): SessionClient | undefined {
  let victim: SessionClient | undefined;
  for (const client of clients) {
    if (isEvictable(client) && (victim === undefined || isBetterVictim(client, victim)))
      victim = client;
  }
  return victim;
}

function isBetterVictim(client: SessionClient, than: SessionClient): boolean {
  const read = client.readerCount > 0;
  if (read !== than.readerCount > 0) return !read;
  return client.metrics.idleSeconds > than.metrics.idleSeconds;
}
