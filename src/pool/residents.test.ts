import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { sleep } from '../time/timers.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

/** The store takes so long to find a session. */
function slowFinds(fixture: PoolFixture, ms: number): void {
  const findSession = fixture.store.findSession.bind(fixture.store);
  vi.spyOn(fixture.store, 'findSession').mockImplementation(async (...call) => {
    await sleep(ms);
    return findSession(...call);
  });
}

/** A known session that is not in memory. */
async function sleeping(fixture: PoolFixture, name: string): Promise<void> {
  await ask(fixture, name, 'one');
  await pass(700_000);
  expect(fixture.pool.stats().residentSessions).toBe(0);
}

test('whoever brings a session into memory at the same time, and by whatever way, gets the same one', async () => {
  const fixture = makePool();
  await sleeping(fixture, 'a');
  slowFinds(fixture, 10);
  const following = fixture.pool.followEvents('default', 'a', { after: 0 });
  await pass(5);
  const client = fixture.pool.getSessionClient('a');
  const again = fixture.pool.getSessionClient('a');
  await pass(100);
  await following;
  expect(await client).toBe(await again);
  expect(fixture.pool.stats().residentSessions).toBe(1);
  expect(fixture.driver.alive).toHaveLength(1);
});

test('a look for a session that ends while another brings it into memory finds that one, and makes no second', async () => {
  const fixture = makePool();
  await sleeping(fixture, 'a');
  const findSession = fixture.store.findSession.bind(fixture.store);
  const slow = vi.spyOn(fixture.store, 'findSession');
  slow.mockImplementationOnce(async (...call) => {
    const row = await findSession(...call);
    await sleep(50);
    return row;
  });
  const following = fixture.pool.followEvents('default', 'a', { after: 0 });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('two'));
  await handle.ended;
  await pass(50);
  await following;
  expect(await fixture.pool.getSessionClient('a')).toBe(client);
  expect(fixture.driver.alive).toHaveLength(1);
});

test('a caller who leaves while a session comes into memory cancels only its wait', async () => {
  const fixture = makePool();
  slowFinds(fixture, 100);
  const abort = new AbortController();
  const leaving = fixture.pool.getSessionClient('a', { signal: abort.signal });
  const staying = fixture.pool.getSessionClient('a');
  abort.abort(new Error('left'));
  await expect(leaving).rejects.toThrow('left');
  await pass(100);
  expect((await staying).status).toBe('idle');
});

test('a session that could not be made leaves no place taken and no workspace', async () => {
  const fixture = makePool({ pool: { maxSessions: 1 } });
  vi.spyOn(fixture.store, 'createSession').mockRejectedValueOnce(
    new RoundhouseError('storage_failed', 'no disk'),
  );
  await expect(fixture.pool.getSessionClient('a')).rejects.toMatchObject({
    code: 'storage_failed',
  });
  expect(fixture.host.workspaces.size).toBe(0);
  expect((await fixture.pool.getSessionClient('b')).status).toBe('idle');
});

test('who asks for a session that is leaving memory waits until its process is gone, and gets its conversation', async () => {
  const fixture = makePool({ pool: { maxSessions: 1 }, driver: { exitMs: 3_000 } });
  await ask(fixture, 'a', 'one');
  const other = ask(fixture, 'b', 'hello');
  await settle();
  const back = ask(fixture, 'a', 'two');
  await pass(2_999);
  expect(fixture.driver.processes).toHaveLength(1);
  await pass(20_000);
  expect(await other).toBe('You said: hello. Before: nothing.');
  expect(await back).toBe('You said: two. Before: one.');
});

test('a session that is deleted while others ask for it is new for them', async () => {
  const fixture = makePool({ driver: { exitMs: 1_000 } });
  await ask(fixture, 'a', 'one');
  const deleted = Promise.all([
    fixture.pool.deleteSession('default', 'a'),
    fixture.pool.deleteSession('default', 'a'),
  ]);
  await settle();
  const unknown = fixture.pool
    .followEvents('default', 'a', { after: 0 })
    .catch((error: unknown) => error);
  const anew = fixture.pool.getSessionClient('a');
  await pass(2_000);
  expect((await deleted).toSorted()).toEqual([false, true]);
  expect((await anew).metrics.messageCount).toBe(0);
  await unknown;
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: nothing.');
});

test('deleting a session that runs ends its turn, its process, its data and its workspace', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await settle();
  expect(await fixture.pool.deleteSession('default', 'a')).toBe(true);
  expect((await handle.ended).error?.code).toBe('session_ended');
  expect(fixture.driver.alive).toEqual([]);
  expect(fixture.host.workspaces.size).toBe(0);
  expect(await fixture.store.getSession(client.id)).toBeUndefined();
});

test('a call whose session is deleted while it writes is told that the session has ended', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  const append = fixture.store.append.bind(fixture.store);
  vi.spyOn(fixture.store, 'append').mockImplementation(async (...call) => {
    await sleep(100);
    return append(...call);
  });
  const changing = fixture.pool.getSessionClient('a', { agent: { tools: [] } });
  const prompting = client.prompt(text('hello'));
  const refused = Promise.allSettled([changing, prompting]);
  expect(await fixture.pool.deleteSession('default', 'a')).toBe(true);
  await pass(1_000);
  expect(await refused).toMatchObject([
    { reason: { code: 'session_ended' } },
    { reason: { code: 'session_ended' } },
  ]);
  vi.restoreAllMocks();
  expect((await fixture.pool.getSessionClient('a')).id).not.toBe(client.id);
});

test('sessions of two tenants with one name are two sessions', async () => {
  const fixture = makePool();
  const mine = await fixture.pool.getSessionClient('a', { tenant: 'mine' });
  const theirs = await fixture.pool.getSessionClient('a', { tenant: 'theirs' });
  expect(mine.id).not.toBe(theirs.id);
  expect(await fixture.pool.deleteSession('mine', 'a')).toBe(true);
  expect(theirs.status).toBe('idle');
});

test('a session that is not in memory is deleted where memory is full, without a place', async () => {
  const fixture = makePool({
    pool: { maxSessions: 1 },
    driver: { script: scriptOf({ long: HANGS }) },
  });
  await sleeping(fixture, 'a');
  await (await fixture.pool.getSessionClient('busy')).prompt(text('long'));
  expect(await fixture.pool.deleteSession('default', 'a')).toBe(true);
  expect(await fixture.store.findSession('default', 'a')).toBeUndefined();
  expect(fixture.host.workspaces.size).toBe(1);
  expect(await fixture.pool.deleteSession('default', 'a')).toBe(false);
});

test('who asks for a session that is being deleted outside memory gets a new one, or is told that there is none', async () => {
  const fixture = makePool();
  await sleeping(fixture, 'a');
  const remove = fixture.store.deleteSession.bind(fixture.store);
  vi.spyOn(fixture.store, 'deleteSession').mockImplementation(async (id) => {
    await sleep(100);
    await remove(id);
  });
  const deleted = [0, 1].map(() => fixture.pool.deleteSession('default', 'a'));
  await pass(50);
  const following = fixture.pool
    .followEvents('default', 'a', { after: 0 })
    .catch((error: unknown) => error);
  const asked = ask(fixture, 'a', 'two');
  await pass(200);
  expect(await Promise.all(deleted)).toEqual([true, false]);
  expect(await asked).toBe('You said: two. Before: nothing.');
  await following;
  expect(fixture.driver.alive).toHaveLength(1);
  expect(fixture.host.workspaces.size).toBe(1);
});

test('who joins an arrival that is being given up, while the session leaves memory, gets the session', async () => {
  const fixture = makePool({ pool: { maxSessions: 1 }, driver: { exitMs: 3_000 } });
  await ask(fixture, 'a', 'one');
  const other = ask(fixture, 'b', 'hello');
  await settle();
  const abort = new AbortController();
  const leaving = fixture.pool.getSessionClient('a', { signal: abort.signal });
  leaving.catch(() => {});
  await settle();
  abort.abort(new Error('left'));
  await expect(leaving).rejects.toThrow('left');
  const staying = ask(fixture, 'a', 'two');
  await pass(20_000);
  expect(await other).toBe('You said: hello. Before: nothing.');
  expect(await staying).toBe('You said: two. Before: one.');
});
