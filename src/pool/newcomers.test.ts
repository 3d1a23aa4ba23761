import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { scriptOf, worksFor } from '../../test/support/scripts.ts';
import { sleep } from '../time/timers.ts';

useFakeClock();

const SPARES = { max: 2, idleMs: 60_000, maxAgeMs: 600_000, reserveBytes: 0 };
const START_MS = 1_000;

/** Asks for a session and leaves after so long; settles when the caller has been told. */
async function askAndLeave(fixture: PoolFixture, name: string, ms: number): Promise<void> {
  const abort = new AbortController();
  const asked = fixture.pool.getSessionClient(name, { signal: abort.signal });
  asked.catch(() => {});
  await pass(ms);
  abort.abort(new Error('left'));
  await expect(asked).rejects.toThrow('left');
}

async function names(fixture: PoolFixture): Promise<string[]> {
  const { sessions } = await fixture.store.listSessions({ limit: 100 });
  return sessions.map(({ name }) => name);
}

test('the start that a leaving caller caused becomes a spare, with its ids and its workspace, and the session is not there', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  await askAndLeave(fixture, 'a', 500);
  await pass(500);
  expect(await names(fixture)).toEqual([]);
  expect(fixture.pool.stats()).toMatchObject({
    residentSessions: 0,
    spares: { ready: 1 },
    processSlots: { used: 1 },
  });
  const [process] = fixture.driver.processes;
  const client = await fixture.pool.getSessionClient('b');
  expect(client).toMatchObject({ id: process?.spec.sessionId, status: 'idle' });
  expect(client.row).toMatchObject({
    agentSessionId: process?.spec.agentSessionId,
    workspace: process?.spec.workspace,
  });
  expect(await ask(fixture, 'b', 'hello')).toBe('You said: hello. Before: nothing.');
  expect(fixture.driver.alive).toHaveLength(1);
  // It is a session like any other: its process can be taken, and comes back.
  await client.disconnect('evicted');
  const again = ask(fixture, 'b', 'again');
  await pass(START_MS);
  expect(await again).toBe('You said: again. Before: hello.');
});

test('in a folder that its caller has named the start is of no use to others, and ends at once; the folder stays', async () => {
  const fixture = makePool({
    pool: { spares: SPARES },
    driver: { startMs: START_MS },
    workspaces: { allowed: ['/srv'] },
  });
  const { pool, driver, host } = fixture;
  host.workspaces.add('/srv/project');
  // Spares of these options are wanted, of both sorts.
  for (const workspace of [undefined, '/srv/project']) {
    const abort = new AbortController();
    const first = pool.getSessionClient(`first ${workspace}`, {
      ...(workspace !== undefined && { workspace }),
      signal: abort.signal,
    });
    await pass(START_MS);
    await first;
  }
  const leaving = new AbortController();
  const asked = pool.getSessionClient('a', { workspace: '/srv/project', signal: leaving.signal });
  asked.catch(() => {});
  await pass(500);
  leaving.abort(new Error('left'));
  await expect(asked).rejects.toThrow('left');
  await settle();
  expect(await names(fixture)).toEqual(expect.not.arrayContaining(['a']));
  expect(driver.processes.filter(({ workspace }) => workspace === '/srv/project')).toHaveLength(1);
  expect([...host.workspaces]).toContain('/srv/project');
});

test('a prepared process that has taken the folder of its caller ends with the session that nobody was given; the folder stays', async () => {
  const bound: string[] = [];
  const fixture = makePool({
    pool: { spares: SPARES },
    driver: {
      onBind: async (workspace) => {
        bound.push(workspace);
        await sleep(1_000);
      },
    },
    workspaces: { allowed: ['/srv'] },
  });
  const { pool, driver, host } = fixture;
  host.workspaces.add('/srv/project');
  await pool.getSessionClient('own');
  await pool.getSessionClient('first', { workspace: '/srv/project' });
  await pass(2_000);
  expect(pool.stats().spares.ready).toBe(2);
  const leaving = new AbortController();
  const asked = pool.getSessionClient('a', { workspace: '/srv/project', signal: leaving.signal });
  asked.catch(() => {});
  await pass(500);
  leaving.abort(new Error('left'));
  await expect(asked).rejects.toThrow('left');
  await pass(1_000);
  expect(bound).toEqual(['/srv/project']);
  expect(await names(fixture)).toEqual(expect.not.arrayContaining(['a']));
  const claimed = driver.processes.filter(({ spec, workspace }) => {
    return spec.workspace === undefined && workspace !== undefined;
  });
  expect(claimed.map(({ alive }) => alive)).toEqual([false]);
  expect([...host.workspaces]).toContain('/srv/project');
});

test('who asks for the name while the start goes on gets the session and its start', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  await askAndLeave(fixture, 'a', 500);
  const coming = fixture.pool.getSessionClient('a');
  await pass(500);
  expect((await coming).status).toBe('idle');
  expect(await names(fixture)).toEqual(['a']);
  expect(fixture.driver.processes).toHaveLength(1);
});

test('who asks for the name while its session is being withdrawn gets a working one', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  const remove = fixture.store.deleteSession.bind(fixture.store);
  vi.spyOn(fixture.store, 'deleteSession').mockImplementation(async (id) => {
    await sleep(100);
    await remove(id);
  });
  await askAndLeave(fixture, 'a', 500);
  await pass(550);
  expect(await names(fixture)).toEqual(['a']);
  const coming = ask(fixture, 'a', 'hello');
  await pass(60);
  expect(await coming).toBe('You said: hello. Before: nothing.');
  expect(fixture.driver.processes).toHaveLength(1);
});

test('a start by resume is given up with its last caller, and its session stays', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  const first = ask(fixture, 'a', 'one');
  await pass(START_MS);
  await first;
  await (await fixture.pool.getSessionClient('a')).disconnect('evicted');
  const spares = fixture.driver.alive.length;
  await askAndLeave(fixture, 'a', 500);
  await settle();
  expect((await fixture.pool.getSessionInfo('default', 'a'))?.status).toBe('disconnected');
  await pass(START_MS);
  expect(fixture.driver.alive.length - spares).toBeLessThanOrEqual(1);
  expect(fixture.driver.alive.some(({ spec }) => spec.resume)).toBe(false);
});

test('a start with a history is not of use to others: it is given up, and leaves nothing', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  const abort = new AbortController();
  const history = [{ role: 'user', content: 'earlier' }] as const;
  const asked = fixture.pool.getSessionClient('a', { history, signal: abort.signal });
  asked.catch(() => {});
  await pass(500);
  abort.abort(new Error('left'));
  await pass(START_MS);
  await expect(asked).rejects.toThrow('left');
  expect(await names(fixture)).toEqual([]);
  expect(fixture.host.workspaces.size).toBe(0);
  expect(fixture.driver.alive).toEqual([]);
  expect(fixture.host.folders.size).toBe(0);
});

test.each([
  ['spares are off', { spares: { ...SPARES, max: 0 } }],
  ['somebody waits for its slot', { spares: SPARES, maxProcesses: 1 }],
])('where %s the start is given up at once, and nothing is left of it', async (_when, pool) => {
  const fixture = makePool({ pool, driver: { startMs: START_MS } });
  const abort = new AbortController();
  const leaving = fixture.pool.getSessionClient('a', { signal: abort.signal });
  leaving.catch(() => {});
  await pass(500);
  const waiting = fixture.pool.getSessionClient('b');
  await settle();
  abort.abort(new Error('left'));
  await pass(START_MS);
  expect((await waiting).status).toBe('idle');
  expect(await names(fixture)).toEqual(['b']);
  expect(fixture.host.workspaces.size).toBe(1);
  expect(fixture.driver.processes).toHaveLength(1);
});

test('a caller refused for lack of a slot leaves no row and no workspace', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1, waitMs: 2_000 },
    driver: { script: scriptOf({ long: worksFor(60_000) }) },
  });
  await (await fixture.pool.getSessionClient('busy')).prompt(text('long'));
  const refused = [0, 1].map(() =>
    fixture.pool.getSessionClient('a').catch((error: unknown) => error),
  );
  await pass(2_000);
  for (const refusal of await Promise.all(refused))
    expect(refusal).toMatchObject({ code: 'pool_at_capacity' });
  await settle();
  expect(await names(fixture)).toEqual(['busy']);
  expect(fixture.host.workspaces.size).toBe(1);
  expect(fixture.pool.stats().residentSessions).toBe(1);
});

test('a session that somebody was given stays, whoever leaves it later', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  const given = fixture.pool.getSessionClient('a');
  await pass(START_MS);
  const client = await given;
  await client.disconnect('evicted');
  await askAndLeave(fixture, 'a', 500);
  await pass(START_MS);
  expect(await names(fixture)).toEqual(['a']);
  const handle = await client.prompt(text('hello'));
  await pass(START_MS);
  expect((await handle.ended).reason).toBe('completed');
});

test('one whose start failed stays while it has to wait for the next, and leaves nothing when it leaves memory', async () => {
  const fixture = makePool({
    pool: { idleThresholdMs: 30_000, cleanupIntervalMs: 1_000 },
    driver: {
      onStart: () => {
        throw new RoundhouseError('session_connection_failed', 'no');
      },
    },
  });
  const refused = fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  await pass(1_000);
  expect(await refused).toMatchObject({ code: 'session_connection_failed' });
  expect(await names(fixture)).toEqual(['a']);
  await pass(60_000);
  expect(await names(fixture)).toEqual([]);
  expect(fixture.host.workspaces.size).toBe(0);
});

test('a caller who leaves while it waits for a place in memory frees its place in the queue', async () => {
  const fixture = makePool({
    pool: { maxSessions: 1, maxWaiters: 1, waitMs: 10_000 },
    driver: { script: scriptOf({ long: worksFor(5_000) }) },
  });
  await (await fixture.pool.getSessionClient('busy')).prompt(text('long'));
  await askAndLeave(fixture, 'a', 500);
  await settle();
  const staying = fixture.pool.getSessionClient('b');
  await pass(7_000);
  expect((await staying).status).toBe('idle');
  expect(await names(fixture)).toEqual(['b', 'busy']);
});

test('a session that is made although its caller has left meanwhile is withdrawn', async () => {
  const fixture = makePool();
  const create = fixture.store.createSession.bind(fixture.store);
  vi.spyOn(fixture.store, 'createSession').mockImplementation(async (session) => {
    await sleep(1_000);
    return create(session);
  });
  await askAndLeave(fixture, 'a', 500);
  await pass(600);
  expect(await names(fixture)).toEqual([]);
  expect(fixture.host.workspaces.size).toBe(0);
  expect(fixture.pool.stats().residentSessions).toBe(0);
  const next = ask(fixture, 'a', 'hello');
  await pass(1_000);
  expect(await next).toBe('You said: hello. Before: nothing.');
});

test('where the store does not let it go the session stays, and no process is left of it', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  vi.spyOn(fixture.store, 'deleteSession').mockRejectedValueOnce(
    new RoundhouseError('storage_failed', 'no disk'),
  );
  await askAndLeave(fixture, 'a', 500);
  await pass(500);
  expect(fixture.line('session_not_withdrawn')).toMatchObject({ sessionId: 'a' });
  expect(fixture.driver.alive).toEqual([]);
  expect(fixture.pool.stats().processSlots.used).toBe(0);
  expect(fixture.host.workspaces.size).toBe(1);
  const asked = ask(fixture, 'a', 'hello');
  await pass(START_MS);
  expect(await asked).toBe('You said: hello. Before: nothing.');
});

test('a drain that comes upon a start for a new session leaves no row of it', async () => {
  const fixture = makePool({ pool: { spares: SPARES }, driver: { startMs: START_MS } });
  const asked = fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  await pass(500);
  await fixture.pool.close();
  expect(await asked).toMatchObject({ code: 'draining' });
  expect(await names(fixture)).toEqual([]);
  expect(fixture.host.workspaces.size).toBe(0);
  expect(fixture.host.folders.size).toBe(0);
});

test('who waits for a slot gets that of a spare as soon as it is ready', async () => {
  const fixture = makePool({
    pool: { spares: SPARES, maxProcesses: 2 },
    driver: { startMs: 3_000, script: scriptOf({ long: worksFor(60_000) }) },
  });
  const first = fixture.pool.getSessionClient('a');
  await pass(3_000);
  await (await first).prompt(text('long'));
  await pass(1_100);
  expect(fixture.pool.stats().spares.starting).toBe(1);
  const other = fixture.pool.getSessionClient('b', { agent: { tools: [] } });
  await pass(7_000);
  expect((await other).status).toBe('idle');
});
