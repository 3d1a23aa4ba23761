import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

const POOL = { idleThresholdMs: 60_000, cleanupIntervalMs: 10_000 };

function taken(fixture: PoolFixture): unknown[] {
  return fixture.lines
    .filter(({ event }) => event === 'session_process_taken')
    .map(({ reason }) => reason);
}

test('what is idle loses its process first, then its place in memory, and keeps its conversation', async () => {
  const fixture = makePool({ pool: POOL });
  await ask(fixture, 'a', 'one');
  await pass(59_999);
  expect(fixture.driver.alive).toHaveLength(1);
  await pass(1);
  expect(fixture.driver.alive).toHaveLength(0);
  expect(fixture.pool.stats().residentSessions).toBe(1);
  await pass(10_000);
  expect(fixture.pool.stats().residentSessions).toBe(0);
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
});

test('age takes the process of a session at rest, though it is used all the time', async () => {
  const fixture = makePool({ pool: { ...POOL, sessionTtlMs: 120_000 } });
  for (let minute = 0; minute < 5; minute += 1) {
    await ask(fixture, 'a', 'ping');
    await pass(30_000);
  }
  expect(taken(fixture)).toEqual(['expired']);
});

test('a session that runs or has prompts waiting is not touched', async () => {
  const fixture = makePool({
    pool: { ...POOL, sessionTtlMs: 60_000 },
    limits: { silenceMs: 600_000 },
    driver: { script: scriptOf({ long: HANGS }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await client.prompt(text('next'));
  await pass(590_000);
  expect(handle.phase).toBe('streaming');
  expect(taken(fixture)).toEqual([]);
});

test('a session that somebody follows keeps its place in memory, not its process', async () => {
  const fixture = makePool({ pool: POOL });
  await ask(fixture, 'a', 'one');
  const leaving = new AbortController();
  const items = await fixture.pool.followEvents('default', 'a', {
    after: 100,
    signal: leaving.signal,
  });
  const next = items[Symbol.asyncIterator]().next();
  await pass(600_000);
  expect(fixture.driver.alive).toHaveLength(0);
  expect(fixture.pool.stats()).toMatchObject({ residentSessions: 1, readers: 1 });
  leaving.abort();
  expect((await next).done).toBe(true);
  await pass(10_000);
  expect(fixture.pool.stats().residentSessions).toBe(0);
});

test('after a drain nothing is looked after any more', async () => {
  const fixture = makePool({ pool: POOL });
  await ask(fixture, 'a', 'one');
  await fixture.pool.close();
  const before = fixture.lines.length;
  await pass(600_000);
  await settle();
  expect(fixture.lines).toHaveLength(before);
});

test('thousands that came to rest together leave memory in portions, so that nobody is held up', async () => {
  const fixture = makePool({ pool: { maxProcesses: 500, cleanupIntervalMs: 1_000_000 } });
  const { pool } = fixture;
  for (let index = 0; index < 450; index += 1) await pool.getSessionClient(`s${index}`);
  for (const process of fixture.driver.alive) process.die();
  await pass(999_999);
  expect(pool.stats().statuses.error).toBe(450);
  vi.advanceTimersByTime(1);
  expect(pool.stats().statuses.error).toBe(250);
  await pass(10);
  expect(pool.stats().residentSessions).toBe(0);
});

test('an end that the store would not take is written when it works again, though nobody asks for the session', async () => {
  const fixture = makePool({ pool: { ...POOL, idleThresholdMs: 600_000 } });
  const client = await fixture.pool.getSessionClient('a');
  const append = vi.spyOn(fixture.store, 'append');
  const handle = await client.prompt(text('one'));
  append.mockRejectedValue(new RoundhouseError('storage_failed', 'The disk is full.'));
  await handle.ended;
  expect(await fixture.store.unfinishedTurns()).toHaveLength(1);
  await pass(10_000);
  append.mockRestore();
  expect(await fixture.store.unfinishedTurns()).toHaveLength(1);
  await pass(10_000);
  expect(await fixture.store.unfinishedTurns()).toEqual([]);
});
