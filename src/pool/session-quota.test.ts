import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, type PoolFixture } from '../../test/support/pool-fixture.ts';

useFakeClock();

const LIMITS = { tenantLimits: new Map([['small', { maxSessions: 2 }]]) };

function get({ pool }: PoolFixture, name: string, kind?: 'one_shot'): Promise<unknown> {
  return pool.getSessionClient(name, { tenant: 'small', ...(kind !== undefined && { kind }) });
}

function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'given',
    (error: unknown) => (error instanceof RoundhouseError ? error.code : error),
  );
}

test('a key gets no further session than it may have, and is told what to do; known ones are given out', async () => {
  const fixture = makePool(LIMITS);
  await get(fixture, 'a');
  await get(fixture, 'b');
  await expect(get(fixture, 'c')).rejects.toMatchObject({
    code: 'session_limit_reached',
    message: expect.stringMatching(/has 2 sessions and may have 2.*Delete one.*maxSessions/),
  });
  expect(await codeOf(get(fixture, 'a'))).toBe('given');
  await expect(fixture.pool.getSessionClient('c', { tenant: 'other' })).resolves.toBeDefined();
});

test('of many that are asked for at the same time exactly as many are made as the key may have', async () => {
  const fixture = makePool({ ...LIMITS, pool: { maxProcesses: 20 } });
  const names = Array.from({ length: 10 }, (_, index) => `s${index}`);
  const codes = await Promise.all(names.map((name) => codeOf(get(fixture, name))));
  expect(codes.filter((code) => code === 'given')).toHaveLength(2);
  expect(codes.filter((code) => code === 'session_limit_reached')).toHaveLength(8);
  expect(await fixture.store.countSessions('small')).toBe(2);
  // No prepared process, workspace or place went to the refused.
  expect(fixture.host.workspaces.size).toBe(2);
  expect(fixture.pool.stats().residentSessions).toBe(2);
});

test('sessions that are not in memory count too, also those of an earlier host', async () => {
  const first = makePool(LIMITS);
  await get(first, 'a');
  await first.pool.close();
  const fixture = makePool({ ...LIMITS, store: first.store });
  await get(fixture, 'b');
  await pass(700_000);
  expect(fixture.pool.stats().residentSessions).toBe(0);
  expect(await codeOf(get(fixture, 'c'))).toBe('session_limit_reached');
  expect(await codeOf(get(fixture, 'a'))).toBe('given');
});

test('a deleted one makes room, once, also when it is the first that this host does', async () => {
  const first = makePool(LIMITS);
  await get(first, 'a');
  await get(first, 'b');
  await first.pool.close();
  const fixture = makePool({ ...LIMITS, store: first.store });
  const { pool } = fixture;
  await Promise.all([pool.deleteSession('small', 'a'), pool.deleteSession('small', 'a')]);
  expect(await codeOf(get(fixture, 'c'))).toBe('given');
  expect(await codeOf(get(fixture, 'd'))).toBe('session_limit_reached');
});

test('one that could not be made gives its part back', async () => {
  const fixture = makePool(LIMITS);
  const failure = new RoundhouseError('storage_failed', 'no disk');
  vi.spyOn(fixture.store, 'createSession').mockRejectedValueOnce(failure);
  expect(await codeOf(get(fixture, 'a'))).toBe('storage_failed');
  expect(await codeOf(get(fixture, 'b'))).toBe('given');
  expect(await codeOf(get(fixture, 'c'))).toBe('given');
});

test('one that is withdrawn, because its caller left before it was ready, gives its part back', async () => {
  const fixture = makePool({ ...LIMITS, driver: { startMs: 1_000 } });
  const abort = new AbortController();
  const { signal } = abort;
  const left = fixture.pool.getSessionClient('a', { tenant: 'small', signal });
  await pass(500);
  abort.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  await pass(5_000);
  const codes = ['b', 'c', 'd'].map((name) => codeOf(get(fixture, name)));
  await pass(5_000);
  expect(await Promise.all(codes)).toEqual(['given', 'given', 'session_limit_reached']);
});

test('a count that the store could not give is asked for again', async () => {
  const fixture = makePool(LIMITS);
  const failure = new RoundhouseError('storage_failed', 'no disk');
  vi.spyOn(fixture.store, 'countSessions').mockRejectedValueOnce(failure);
  expect(await codeOf(get(fixture, 'a'))).toBe('storage_failed');
  expect(await codeOf(get(fixture, 'a'))).toBe('given');
});

test('one-shot calls do not count', async () => {
  const fixture = makePool(LIMITS);
  await get(fixture, 'a');
  await get(fixture, 'b');
  expect(await codeOf(get(fixture, 'oneshot-1', 'one_shot'))).toBe('given');
  await fixture.pool.deleteSession('small', 'oneshot-1');
  expect(await codeOf(get(fixture, 'c'))).toBe('session_limit_reached');
});

test('who is refused pushes nobody out of memory', async () => {
  const fixture = makePool({ ...LIMITS, pool: { maxSessions: 2 } });
  await get(fixture, 'a');
  await get(fixture, 'b');
  await pass(2_000);
  expect(await codeOf(get(fixture, 'c'))).toBe('session_limit_reached');
  await settle();
  expect(fixture.pool.stats().residentSessions).toBe(2);
  expect(await ask(fixture, 'theirs', 'hello')).toContain('hello');
});
