import type { SessionClient } from '../session/session-client.ts';

/**
 * How long after a model request the prompt cache is taken to be warm. Source: Anthropic's documentation of prompt caching,
 * "the cache has a 5-minute lifetime", refreshed by each use; one-hour entries exist, and count as the short ones here.
 */
export const CACHE_WARM_MS = 5 * 60_000;

/** What the start of a process that resumes is worth, in tokens read: a judgement. Far smaller contexts all cost the same. */
const START_TOKENS = 10_000;
/**
 * The share of a cold context that counts. The model reads it again in any case; what the new process adds is to load the
 * transcript (measured: 0.1 s at 20 turns, 0.3 s at 1,000).
 */
const COLD_SHARE = 0.1;
/** What a process is taken to hold until it has been measured. */
const UNMEASURED_BYTES = 250 * 1024 * 1024;

/** What taking a session's process would cost and give. */
export interface EvictionEstimate {
  /** Tokens of the conversation, which the model has to read again, from its cache or not. */
  readonly contextTokens: number;
  /** Whether the prompt cache probably still has them: then they are what may be lost. */
  readonly cacheWarm: boolean;
  /** Memory that comes free, in bytes, as last measured; undefined before the first measurement. */
  readonly bytes: number | undefined;
  /** What bringing the process back costs, in tokens. */
  readonly cost: number;
}

/** Estimates from what is known already: nothing is measured, and nobody waits. */
export function estimateEviction(
  client: Pick<SessionClient, 'context' | 'lastMemoryBytes'>,
): EvictionEstimate {
  const { tokens, sinceMs } = client.context;
  const cacheWarm = tokens > 0 && sinceMs < CACHE_WARM_MS;
  return {
    contextTokens: tokens,
    cacheWarm,
    bytes: client.lastMemoryBytes,
    cost: START_TOKENS + tokens * (cacheWarm ? 1 : COLD_SHARE),
  };
}

/**
 * What keeping the process is worth: its cost by the memory that it holds and by the time that nobody has used it. So an
 * expensive one is kept longer, not for ever, and at equal cost and size the least recently used goes first. After
 * "Hyperbolic Caching" (Blankstein, Sen, Freedman; USENIX ATC 2017), with one use as the number of uses.
 */
export function worthKeeping(
  { cost, bytes = UNMEASURED_BYTES }: Pick<EvictionEstimate, 'cost' | 'bytes'>,
  idleSeconds: number,
): number {
  return cost / Math.max(1, bytes) / Math.max(0.001, idleSeconds);
}
