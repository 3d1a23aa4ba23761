import { expect, test, vi } from 'vitest';
import { poolOptionsSchema } from './options.ts';
import type { IdentifiedSession } from './session-request.ts';
import { RoundhouseError } from '../errors.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

const SPARES = { ...poolOptionsSchema.parse({}).spares, max: 1 };
const NO_DISK = new RoundhouseError('storage_failed', 'no disk');

function create(fixture: PoolFixture, over: Partial<IdentifiedSession> = {}) {
  return fixture.pool.createSession({
    tenant: 'default',
    agent: {},
    mayTakeSpare: true,
    announce: () => Promise.resolve(),
    ...over,
  });
}

/** One that has a process prepared for the next session. */
async function withSpare(): Promise<PoolFixture> {
  const fixture = makePool({ pool: { spares: SPARES } });
  await create(fixture);
  await pass(1_100);
  expect(fixture.pool.stats().spares.ready).toBe(1);
  return fixture;
}

/** Everything that is kept anywhere of sessions. */
async function left({ store, host, pool }: PoolFixture) {
  const { sessions } = await store.listSessions({ limit: 10 });
  return {
    rows: sessions.length,
    workspaces: host.workspaces.size,
    slots: pool.stats().processSlots.used,
  };
}

test('a session is made without a process and without a place, under its id, announced before it is there', async () => {
  const fixture = makePool();
  const announced: unknown[] = [];
  const row = await create(fixture, {
    announce: async (id, ownWorkspace) => {
      announced.push(id, await fixture.pool.getSessionInfo('default', id), ownWorkspace);
    },
  });
  expect(announced).toEqual([row.id, undefined, row.workspace]);
  expect(row).toMatchObject({ name: row.id, tenant: 'default', kind: 'named' });
  expect(fixture.driver.processes).toHaveLength(0);
  expect(fixture.pool.stats().residentSessions).toBe(0);
  expect(await ask(fixture, row.id, 'one')).toBe('You said: one. Before: nothing.');
});

test('a folder that was named is nobody’s to fill: it is not announced', async () => {
  const fixture = makePool({ workspaces: { allowed: ['/named'] } });
  const announced: unknown[] = [];
  const announce: IdentifiedSession['announce'] = async (_id, ownWorkspace) => {
    announced.push(ownWorkspace);
  };
  const row = await create(fixture, { workspace: '/named/a', announce });
  await fixture.pool.forkSession('default', row.id, { eventId: undefined, announce });
  expect(announced).toEqual([undefined, undefined]);
});

test('limits of its own stay with it, and with its forks, within the bounds of all', async () => {
  const fixture = makePool();
  const { id } = await create(fixture, { limits: { turnMs: 2_000 } });
  const fork = await fixture.pool.forkSession('default', id, {
    eventId: undefined,
    announce: () => Promise.resolve(),
  });
  for (const name of [id, fork.id]) {
    const { row, limits } = await fixture.pool.findClient('default', name);
    expect(row.limits).toEqual({ turnMs: 2_000 });
    expect(limits).toMatchObject({ turnMs: 2_000, toolMs: 1_800_000 });
  }
  await expect(create(fixture, { limits: { turnMs: 1 } })).rejects.toMatchObject({
    code: 'invalid_request',
  });
});

test('a prepared process is taken with its ids, and stays with its session', async () => {
  const fixture = await withSpare();
  const row = await create(fixture);
  const [process] = fixture.driver.processes;
  expect(row.id).toBe(process?.spec.sessionId);
  // Past the time in which a new session that nobody was given would be withdrawn.
  await pass(5_000);
  expect(await fixture.pool.getSessionInfo('default', row.id)).toMatchObject({ status: 'idle' });
  expect(await ask(fixture, row.id, 'one')).toBe('You said: one. Before: nothing.');
  expect(process?.alive).toBe(true);
});

test('no prepared process is taken where it must not, or where there is no place in memory', async () => {
  const fixture = await withSpare();
  const before = fixture.driver.processes[0]?.spec.sessionId;
  expect((await create(fixture, { mayTakeSpare: false })).id).not.toBe(before);
  const full = makePool({
    pool: { spares: SPARES, maxSessions: 1 },
    driver: { script: scriptOf({ long: HANGS }) },
  });
  await create(full);
  const busy = await full.pool.getSessionClient('busy');
  await busy.prompt(text('long'));
  await pass(1_100);
  expect(full.pool.stats().spares.ready).toBe(1);
  await create(full);
  expect(full.pool.stats().spares.ready).toBe(1);
  expect(full.pool.stats().residentSessions).toBe(1);
});

test.each([
  ['cold', () => Promise.resolve(makePool())],
  ['on a prepared process', withSpare],
])('a session that is not announced, or not stored, leaves nothing: %s', async (_how, open) => {
  const fixture = await open();
  const before = await left(fixture);
  const refused = create(fixture, { announce: () => Promise.reject(NO_DISK) });
  await expect(refused).rejects.toBe(NO_DISK);
  vi.spyOn(fixture.store, 'createSession').mockRejectedValueOnce(NO_DISK);
  await expect(create(fixture)).rejects.toBe(NO_DISK);
  await pass(100);
  const { rows } = before;
  expect(await left(fixture)).toEqual({ rows, workspaces: rows, slots: 0 });
  expect(fixture.driver.alive).toHaveLength(0);
});

test('the limit of a key counts those that are made so, and not those that are not', async () => {
  const fixture = makePool({ tenantLimits: new Map([['default', { maxSessions: 1 }]]) });
  await expect(create(fixture, { announce: () => Promise.reject(NO_DISK) })).rejects.toBe(NO_DISK);
  const row = await create(fixture);
  await expect(create(fixture)).rejects.toMatchObject({ code: 'session_limit_reached' });
  await fixture.pool.deleteSession('default', row.id);
  await create(fixture);
});

test('one that is on its way when the pool is closed takes no process with it', async () => {
  const fixture = await withSpare();
  const hold = Promise.withResolvers<void>();
  const creation = create(fixture, { announce: () => hold.promise });
  await pass(1);
  const closing = fixture.pool.close();
  await pass(1);
  hold.resolve();
  await creation;
  await pass(100);
  await closing;
  expect(fixture.driver.alive).toHaveLength(0);
  expect(fixture.host.folders.size).toBe(0);
  await expect(create(fixture)).rejects.toMatchObject({ code: 'draining' });
});

test('what sessions do is told of those that run, and of those whose prompts an earlier host left', async () => {
  const first = makePool({ driver: { startMs: 1_000 } });
  const row = await create(first);
  const client = await first.pool.findClient('default', row.id);
  expect(first.driver.processes).toHaveLength(0);
  await client.prompt(text('one'));
  expect([...first.pool.busySessions('default')]).toEqual([[row.id, 'starting']]);
  expect([...first.pool.busySessions('other')]).toEqual([]);
  const closing = first.pool.close();
  await pass(2_000);
  await closing;
  const second = makePool({ store: first.store, host: first.host });
  await second.pool.recover();
  expect([...second.pool.busySessions('default')]).toEqual([[row.id, 'queued']]);
  expect([...second.pool.busySessions('other')]).toEqual([]);
  expect(await second.pool.getSessionInfo('default', row.id)).toMatchObject({
    status: 'disconnected',
    phase: 'queued',
  });
  second.pool.resumePrompts();
  await pass(100);
  expect(second.pool.busySessions('default').size).toBe(0);
  expect(await second.pool.getSessionInfo('default', row.id)).toMatchObject({ phase: null });
});
