import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { sleep } from '../time/timers.ts';
import { FakeHost } from '../../test/support/fake-host.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, collect, makePool, text } from '../../test/support/pool-fixture.ts';
import { scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

const STALE = scriptOf({ stale: { steps: [{ text: ['ok'] }, { stale: true }] } });

test('never more starts go on at once than allowed, and a start that fails gives its place back', async () => {
  let starting = 0;
  let most = 0;
  const fixture = makePool({
    pool: { maxProcesses: 6, maxStarts: 2, startAttempts: 1 },
    driver: {
      onStart: async ({ workspace }) => {
        starting += 1;
        most = Math.max(most, starting);
        await sleep(1_000);
        starting -= 1;
        if (workspace === 'fails') throw new RoundhouseError('session_connection_failed', 'no');
      },
    },
  });
  vi.spyOn(fixture.host, 'createWorkspace').mockResolvedValueOnce('fails');
  const outcomes = Promise.allSettled(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => fixture.pool.getSessionClient(name)),
  );
  await pass(3_000);
  expect(most).toBe(2);
  expect((await outcomes).map(({ status }) => status)).toEqual([
    'rejected',
    ...Array.from({ length: 5 }, () => 'fulfilled'),
  ]);
  expect(fixture.pool.stats().processSlots.used).toBe(5);
});

test('only a failed connection is tried again; a missing executable is told at once', async () => {
  let starts = 0;
  const fixture = makePool({
    driver: {
      onStart: () => {
        starts += 1;
        throw new RoundhouseError('agent_unavailable', 'no executable');
      },
    },
  });
  await expect(fixture.pool.getSessionClient('a')).rejects.toMatchObject({
    code: 'agent_unavailable',
    kind: { status: 500 },
  });
  expect(starts).toBe(1);
});

test('a start that succeeds at the second attempt is a success', async () => {
  const fixture = makePool({
    driver: {
      onStart: (_spec, attempt) => {
        if (attempt === 1) throw new RoundhouseError('session_connection_failed', 'once');
      },
    },
  });
  const client = fixture.pool.getSessionClient('a');
  await pass(300);
  expect((await client).status).toBe('idle');
  expect(fixture.line('session_start_failed')).toMatchObject({ level: 'warn', attempt: 1 });
  expect(fixture.host.folders.size).toBe(1);
});

test('the log tells whose wait for a slot is over, and how long it was', async () => {
  const fixture = makePool({ pool: { maxProcesses: 1 }, driver: { exitMs: 300 } });
  const first = await fixture.pool.getSessionClient('a', { tenant: 'one' });
  const second = fixture.pool.getSessionClient('b', { tenant: 'two' });
  void first.disconnect('test');
  await pass(300);
  await second;
  const told = fixture.lines.filter(({ event }) => event === 'session_slot_granted');
  expect(told).toMatchObject([
    { level: 'debug', sessionId: 'a', tenant: 'one', waitMs: 0 },
    { level: 'debug', sessionId: 'b', tenant: 'two', waitMs: 300 },
  ]);
});

test('the slot of a process goes back when it is gone, not when it is asked to go', async () => {
  const fixture = makePool({ driver: { exitMs: 2_000 } });
  const client = await fixture.pool.getSessionClient('a');
  void client.disconnect('test');
  await pass(1_999);
  expect(fixture.pool.stats().processSlots.used).toBe(1);
  await pass(1);
  expect(fixture.pool.stats().processSlots.used).toBe(0);
});

test('a stale transcript keeps its folder, is rescued before the next resume, and then the folder goes', async () => {
  const fixture = makePool({ driver: { script: STALE } });
  const rescue = vi.spyOn(fixture.driver, 'rescueTranscript');
  await ask(fixture, 'a', 'stale');
  const [process] = fixture.driver.processes;
  const folder = process?.spec.processFolder ?? '';
  const client = await fixture.pool.getSessionClient('a');
  expect(client.row.staleTranscriptFolder).toBe(folder);
  await client.disconnect('test');
  expect(fixture.host.folders).toEqual(new Set([folder]));
  const order: string[] = [];
  rescue.mockImplementation(async () => void order.push('rescued'));
  const start = fixture.driver.start.bind(fixture.driver);
  vi.spyOn(fixture.driver, 'start').mockImplementation((...call) => {
    order.push('started');
    return start(...call);
  });
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: stale.');
  expect(rescue).toHaveBeenCalledExactlyOnceWith(
    folder,
    process?.spec.agentSessionId,
    fixture.store.transcripts,
  );
  expect(order).toEqual(['rescued', 'started']);
  expect(client.row.staleTranscriptFolder).toBeNull();
  expect(fixture.host.folders.has(folder)).toBe(false);
  expect(await fixture.store.findSession('default', 'a')).toMatchObject({
    staleTranscriptFolder: null,
  });
});

test('a stale transcript outlives a restart of the host: the sweep leaves its folder, and it is rescued', async () => {
  const store = new MemorySessionStore();
  const host = new FakeHost();
  const before = makePool({ store, host, driver: { script: STALE } });
  await ask(before, 'a', 'stale');
  const folder = before.driver.processes[0]?.spec.processFolder ?? '';
  const after = makePool({ store, host });
  const rescue = vi.spyOn(after.driver, 'rescueTranscript');
  await after.pool.recover();
  expect(host.folders.has(folder)).toBe(true);
  expect(await ask(after, 'a', 'next')).toBe('You said: next. Before: stale.');
  expect(rescue).toHaveBeenCalledExactlyOnceWith(folder, expect.anything(), store.transcripts);
  expect(host.folders.has(folder)).toBe(false);
});

test('a process that turns out stale when it is gone is noted too, though no turn was there to be told', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  const [process] = fixture.driver.processes;
  if (process === undefined) throw new Error('no process');
  const folder = process.spec.processFolder;
  process.die('SIGKILL', { transcriptStale: true });
  await settle();
  expect(await fixture.store.findSession('default', 'a')).toMatchObject({
    staleTranscriptFolder: folder,
  });
  const rescue = vi.spyOn(fixture.driver, 'rescueTranscript');
  await ask(fixture, 'a', 'two');
  expect(rescue).toHaveBeenCalledOnce();
});

test('a stale transcript is not forgotten when the store fails at that very moment', async () => {
  const fixture = makePool({ driver: { script: STALE } });
  const client = await fixture.pool.getSessionClient('a');
  const append = fixture.store.append.bind(fixture.store);
  vi.spyOn(fixture.store, 'append').mockImplementation(async (...call) => {
    if (call[3]?.staleTranscriptFolder !== undefined && call[2].length === 0)
      throw new RoundhouseError('storage_failed', 'no disk');
    return append(...call);
  });
  const handle = await client.prompt(text('stale'));
  await collect(handle);
  expect((await handle.ended).reason).toBe('completed');
  expect((await fixture.store.findSession('default', 'a'))?.staleTranscriptFolder).toBe(
    fixture.driver.processes[0]?.spec.processFolder,
  );
});

test('a rescue that fails refuses the start and keeps the folder, until it works', async () => {
  const fixture = makePool({ driver: { script: STALE } });
  await ask(fixture, 'a', 'stale');
  const client = await fixture.pool.getSessionClient('a');
  const folder = client.row.staleTranscriptFolder;
  await client.disconnect('test');
  vi.spyOn(fixture.driver, 'rescueTranscript').mockRejectedValueOnce(
    new RoundhouseError('session_connection_failed', 'unreadable'),
  );
  await expect(fixture.pool.getSessionClient('a')).rejects.toThrow('unreadable');
  expect(fixture.host.folders).toEqual(new Set([folder]));
  expect(fixture.driver.processes).toHaveLength(1);
  await pass(500);
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: stale.');
});
