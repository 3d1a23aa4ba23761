import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

const POOL = { cleanupIntervalMs: 10_000, idleThresholdMs: 86_400_000, sessionTtlMs: 86_400_000 };

async function numbers(fixture: PoolFixture, name: string): Promise<number[]> {
  const records = await fixture.pool.readEvents('default', name, { after: 0, limit: 10_000 });
  return records.map(({ number }) => number);
}

async function turns(fixture: PoolFixture, name: string): Promise<number> {
  const records = await fixture.pool.readEvents('default', name, { after: 0, limit: 10_000 });
  return new Set(records.map(({ turnId }) => turnId)).size;
}

test('everything is kept unless a bound is set, and nobody looks', async () => {
  const fixture = makePool({ pool: POOL });
  const trim = vi.spyOn(fixture.store, 'trimEvents');
  await ask(fixture, 'a', 'one');
  await pass(3_600_000);
  expect(trim).not.toHaveBeenCalled();
  expect((await numbers(fixture, 'a'))[0]).toBe(1);
});

test('beyond the number the oldest go, and a reader gets the gap, then the rest and what follows', async () => {
  const fixture = makePool({ pool: { ...POOL, retention: { maxEvents: 10 } } });
  for (let turn = 0; turn < 5; turn += 1) await ask(fixture, 'a', `turn ${turn}`);
  const before = await numbers(fixture, 'a');
  await pass(10_100);
  const kept = await numbers(fixture, 'a');
  expect(kept).toEqual(before.slice(-10));
  const leaving = new AbortController();
  const { signal } = leaving;
  const seen: unknown[] = [];
  for await (const item of await fixture.pool.followEvents('default', 'a', { after: 2, signal })) {
    seen.push(item.gap ?? item.record?.number);
    if (item.record?.number === before.length) leaving.abort();
  }
  expect(seen).toEqual([{ from: 3, to: (kept[0] ?? 0) - 1 }, ...kept]);
  await ask(fixture, 'a', 'next');
  expect((await numbers(fixture, 'a')).at(-1)).toBeGreaterThan(before.length);
});

test('age counts by the wall clock, and the last turn stays whatever its age', async () => {
  const fixture = makePool({ pool: { ...POOL, retention: { maxAgeMs: 3_600_000 } } });
  await ask(fixture, 'a', 'one');
  await pass(3_000_000);
  await ask(fixture, 'a', 'two');
  await pass(500_000);
  expect(await turns(fixture, 'a')).toBe(2);
  await pass(200_000);
  expect(await turns(fixture, 'a')).toBe(1);
  await pass(36_000_000);
  expect(await turns(fixture, 'a')).toBe(1);
  expect(await ask(fixture, 'a', 'three')).toContain('Before: one');
});

test('a session that left memory, or never came into it, is trimmed as well', async () => {
  const first = makePool({ pool: POOL });
  for (const name of ['a', 'b']) {
    for (let turn = 0; turn < 3; turn += 1) await ask(first, name, `turn ${turn}`);
  }
  await first.pool.close();
  const { store, host } = first;
  const second = makePool({ pool: { ...POOL, retention: { maxEvents: 3 } }, store, host });
  await second.pool.recover();
  await pass(10_100);
  expect(await turns(second, 'a')).toBe(1);
  expect(await turns(second, 'b')).toBe(1);
});

test('what a running turn has written stays, and goes when it is over', async () => {
  const fixture = makePool({
    pool: { ...POOL, retention: { maxEvents: 1 } },
    limits: { silenceMs: 600_000 },
    driver: { script: scriptOf({ long: HANGS }) },
  });
  await ask(fixture, 'a', 'one');
  const client = await fixture.pool.getSessionClient('a');
  const running = await client.prompt(text('long'));
  await pass(30_000);
  expect((await numbers(fixture, 'a'))[0]).toBe(running.firstNumber);
  void running.interrupt();
  await pass(10_000);
  await ask(fixture, 'a', 'two');
  await pass(10_100);
  expect((await numbers(fixture, 'a'))[0]).toBeGreaterThan(running.firstNumber);
  expect(await turns(fixture, 'a')).toBe(1);
});

test('one look removes a bounded amount, in small transactions; the next ones go on', async () => {
  const fixture = makePool({ pool: { ...POOL, retention: { maxEvents: 1 } } });
  await ask(fixture, 'a', 'one');
  const calls: number[] = [];
  vi.spyOn(fixture.store, 'trimEvents').mockImplementation(async (_id, _bounds, maxRecords) => {
    calls.push(maxRecords);
    return { removed: maxRecords, more: true };
  });
  await pass(10_900);
  expect(calls).toEqual(Array.from({ length: 10 }, () => 500));
  await pass(10_000);
  expect(calls).toHaveLength(20);
});

test('a store that fails is tried again at the next look, and a drain waits for the one that runs', async () => {
  const fixture = makePool({ pool: { ...POOL, retention: { maxEvents: 3 } } });
  for (let turn = 0; turn < 3; turn += 1) await ask(fixture, 'a', `turn ${turn}`);
  const trim = vi.spyOn(fixture.store, 'trimEvents');
  trim.mockRejectedValueOnce(new RoundhouseError('storage_failed', 'no disk'));
  await pass(10_100);
  expect(fixture.line('session_retention_failed')).toMatchObject({ level: 'warn' });
  await pass(10_000);
  expect(await turns(fixture, 'a')).toBe(1);

  await ask(fixture, 'a', 'more');
  const gate = Promise.withResolvers<{ removed: number; more: boolean }>();
  trim.mockImplementationOnce(() => gate.promise);
  await pass(10_000);
  let closed = false;
  const closing = fixture.pool.close().then(() => (closed = true));
  await pass(1_000);
  expect(closed).toBe(false);
  gate.resolve({ removed: 0, more: false });
  await pass(10);
  await closing;
});
