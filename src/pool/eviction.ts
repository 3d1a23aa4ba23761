import { estimateEviction, worthKeeping } from './eviction-cost.ts';
import type { SessionClient } from '../session/session-client.ts';

/**
 * How long a process that has not run a turn yet is left alone. Whoever asked for it is about to prompt; taking it away at
 * once could go on for ever between two callers.
 */
export const UNUSED_GRACE_SECONDS = 1;

/**
 * Whether the process of this session may be taken: never one that runs, or has prompts waiting. A turn that waits for its
 * client's answers, and the prompts behind it, need none.
 */
export function isEvictable(client: SessionClient): boolean {
  return client.status === 'idle' && (!client.busy || client.awaitsClient) && !isFresh(client);
}

/** Whether somebody is likely about to prompt: it came into memory, or got its process, just now and has run no turn there. */
export function isFresh(client: SessionClient): boolean {
  return client.turnsOfProcess === 0 && client.idleSeconds < UNUSED_GRACE_SECONDS;
}

/** A session whose process may be taken, as it stands in the choice. */
interface Candidate {
  readonly client: SessionClient;
  readonly awaitsClient: boolean;
  readonly read: boolean;
  readonly worth: number;
  readonly idleSeconds: number;
}

/**
 * The session whose process is taken next: those with a turn that waits for its client last, because bringing one back
 * costs a start for each call that waits; sessions that nobody reads before those with readers (whose streams outlive
 * the process, but who are likely to prompt), then the one least worth keeping, then the least recently used.
 */
export function chooseVictim(clients: Iterable<SessionClient>): SessionClient | undefined {
  let victim: Candidate | undefined;
  for (const client of clients) {
    if (!isEvictable(client)) continue;
    const candidate = candidateOf(client);
    if (victim === undefined || isBetterVictim(candidate, victim)) victim = candidate;
  }
  return victim?.client;
}

function candidateOf(client: SessionClient): Candidate {
  const { idleSeconds } = client.metrics;
  const worth = worthKeeping(estimateEviction(client), idleSeconds);
  const { awaitsClient } = client;
  return { client, awaitsClient, read: client.readerCount > 0, worth, idleSeconds };
}

function isBetterVictim(candidate: Candidate, than: Candidate): boolean {
  if (candidate.awaitsClient !== than.awaitsClient) return !candidate.awaitsClient;
  if (candidate.read !== than.read) return !candidate.read;
  if (candidate.worth !== than.worth) return candidate.worth < than.worth;
  return candidate.idleSeconds > than.idleSeconds;
}
