import { expect, test, vi } from 'vitest';
import { CACHE_WARM_MS, estimateEviction, worthKeeping } from './eviction-cost.ts';
import { chooseVictim, isEvictable } from './eviction.ts';
import { PolicyAnswerer } from './policy-answerer.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text } from '../../test/support/pool-fixture.ts';
import { scriptOf } from '../../test/support/scripts.ts';
import type { SessionClient } from '../session/session-client.ts';

useFakeClock();

const MIB = 1024 * 1024;

function estimate(tokens: number, sinceMs = 0, lastMemoryBytes?: number) {
  return estimateEviction({ context: { tokens, sinceMs }, lastMemoryBytes });
}

/** Two sessions that have just run a turn each, the first one a second before the other. */
async function pair(): Promise<[SessionClient, SessionClient]> {
  const fixture = makePool();
  await ask(fixture, 'older', 'one');
  await pass(1_000);
  await ask(fixture, 'newer', 'one');
  await pass(1_000);
  return [
    await fixture.pool.getSessionClient('older'),
    await fixture.pool.getSessionClient('newer'),
  ];
}

function setContext(client: SessionClient, tokens: number, sinceMs = 0): void {
  vi.spyOn(client, 'context', 'get').mockReturnValue({ tokens, sinceMs });
}

test('the cache counts as warm for five minutes, and a conversation of which nothing is known as cold', () => {
  expect(estimate(50_000, CACHE_WARM_MS - 1)).toMatchObject({
    contextTokens: 50_000,
    cacheWarm: true,
  });
  expect(estimate(50_000, CACHE_WARM_MS).cacheWarm).toBe(false);
  expect(estimate(0).cacheWarm).toBe(false);
});

test('a warm conversation costs more than a cold one of its size, and a large one more than a small one', () => {
  expect(estimate(100_000).cost).toBeGreaterThan(estimate(100_000, CACHE_WARM_MS).cost);
  expect(estimate(100_000).cost).toBeGreaterThan(estimate(10_000).cost);
  expect(estimate(100_000, CACHE_WARM_MS).cost).toBeGreaterThan(estimate(0).cost);
});

test('what is kept is worth less the more it holds and the longer nobody uses it', () => {
  const small = estimate(10_000, 0, 200 * MIB);
  const large = estimate(10_000, 0, 800 * MIB);
  expect(worthKeeping(large, 10)).toBeLessThan(worthKeeping(small, 10));
  expect(worthKeeping(small, 11)).toBeLessThan(worthKeeping(small, 10));
  expect(worthKeeping(estimate(10_000, 0, 250 * MIB), 10)).toBe(worthKeeping(estimate(10_000), 10));
  expect(worthKeeping(small, 0)).toBeLessThan(Infinity);
});

test('a large warm conversation is kept before a small one that was used a little later', async () => {
  const [older, newer] = await pair();
  expect(chooseVictim([older, newer])).toBe(older);
  setContext(older, 150_000);
  expect(chooseVictim([older, newer])).toBe(newer);
  // Its cache has gone cold: there is little left to lose.
  setContext(older, 1_000, CACHE_WARM_MS);
  expect(chooseVictim([older, newer])).toBe(older);
});

test('an expensive conversation is not kept for ever', async () => {
  const [older, newer] = await pair();
  setContext(older, 150_000);
  await pass(60_000);
  vi.spyOn(newer, 'metrics', 'get').mockReturnValue({ ...newer.metrics, idleSeconds: 2 });
  expect(chooseVictim([older, newer])).toBe(older);
});

test('of two alike the one that holds more memory is taken', async () => {
  const [older, newer] = await pair();
  vi.spyOn(newer, 'lastMemoryBytes', 'get').mockReturnValue(900 * MIB);
  expect(chooseVictim([older, newer])).toBe(newer);
});

test('one with readers comes last, whatever it costs', async () => {
  const [older, newer] = await pair();
  setContext(newer, 1_000_000);
  vi.spyOn(older, 'readerCount', 'get').mockReturnValue(1);
  expect(chooseVictim([older, newer])).toBe(newer);
});

test('a session that waits for the answer of its client is never taken', async () => {
  vi.spyOn(PolicyAnswerer.prototype, 'decide').mockReturnValue(new Promise(() => {}));
  const fixture = makePool({
    driver: { script: scriptOf({ asks: { steps: [{ ask: 'Bash' }] } }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  await client.prompt(text('asks'));
  await pass(60_000);
  expect(client.phase).toBe('awaiting-client');
  expect(isEvictable(client)).toBe(false);
});

test('the choice is logged with its estimate, and the tokens are counted', async () => {
  const fixture = makePool({ pool: { maxProcesses: 1 } });
  await ask(fixture, 'a', 'one');
  const client = await fixture.pool.getSessionClient('a');
  const [process] = fixture.driver.processes;
  if (process === undefined) throw new Error('no process');
  vi.spyOn(process, 'memoryBytes').mockResolvedValue(300 * MIB);
  await client.memoryBytes();
  await ask(fixture, 'b', 'one');
  expect(fixture.line('session_process_taken')).toMatchObject({
    sessionId: 'a',
    reason: 'evicted',
    contextTokens: 15,
    cacheWarm: true,
    bytes: 300 * MIB,
  });
  expect(fixture.counted).toContainEqual({
    name: 'roundhouse_eviction_context_tokens_total',
    labels: { cache: 'warm' },
    by: 15,
  });
});
