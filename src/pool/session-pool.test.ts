import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { sleep } from '../time/timers.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, collect, makePool, text } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf, worksFor } from '../../test/support/scripts.ts';

useFakeClock();

test('eight sessions on three processes all get their own answers, twice, and never more than three processes exist', async () => {
  let most = 0;
  const fixture = makePool({
    pool: { maxProcesses: 3 },
    driver: {
      startMs: 100,
      exitMs: 50,
      onStart: () => {
        const present = fixture.driver.processes.filter(({ gone }) => !gone).length + 1;
        most = Math.max(most, present);
      },
    },
  });
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  for (const [round, before] of [
    ['1', () => 'nothing'],
    ['2', (name: string) => `${name}1`],
  ] as const) {
    const answers = Promise.all(names.map((name) => ask(fixture, name, `${name}${round}`)));
    await pass(20_000);
    expect(await answers).toEqual(
      names.map((name) => `You said: ${name}${round}. Before: ${before(name)}.`),
    );
  }
  expect(most).toBe(3);
});

test('a session that leaves memory while it is being given out is asked for again, unseen by its caller', async () => {
  const fixture = makePool({ pool: { maxSessions: 1 } });
  await ask(fixture, 'a', 'one');
  await pass(5_000);
  const append = fixture.store.append.bind(fixture.store);
  // The change of options takes its time, in which another session needs the only place.
  vi.spyOn(fixture.store, 'append').mockImplementationOnce(async (...call) => {
    await sleep(100);
    return append(...call);
  });
  const client = fixture.pool.getSessionClient('a', { agent: { tools: [] } });
  const other = ask(fixture, 'b', 'hello');
  await pass(10_000);
  expect(await other).toBe('You said: hello. Before: nothing.');
  expect((await client).row.options).toEqual({ tools: [] });
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
});

test('the figures of the pool count what is there', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  await fixture.pool.getSessionClient('a');
  const client = await fixture.pool.getSessionClient('b');
  await client.prompt(text('long'));
  await client.prompt(text('behind'));
  await settle();
  expect(fixture.pool.stats()).toMatchObject({
    residentSessions: 2,
    processSlots: { used: 2, capacity: 4, waiting: 0 },
    statuses: { idle: 1, active: 1, error: 0 },
    phases: { streaming: 1 },
    queuedTurns: 1,
    readers: 0,
  });
});

test('prompts that wait when a drain begins stay in the store, undelivered, for the next host', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(5_000) }) } });
  const client = await fixture.pool.getSessionClient('a');
  const running = await client.prompt(text('long'));
  const waiting = await client.prompt(text('next'));
  const reading = collect(waiting).catch((error: unknown) => error);
  const drained = fixture.pool.drain();
  await pass(5_000);
  await drained;
  expect((await running.ended).reason).toBe('completed');
  expect(await reading).toMatchObject({ code: 'draining' });
  expect(await fixture.store.unfinishedTurns()).toMatchObject([{ delivered: false }]);
});

test('a close hurries a drain that is under way', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  await (await fixture.pool.getSessionClient('a')).prompt(text('long'));
  const drained = fixture.pool.drain(600_000);
  await pass(1_000);
  await Promise.all([fixture.pool.close(), drained, fixture.pool.close()]);
  expect(fixture.driver.alive).toEqual([]);
});

test('callers that wait for a slot or a place when a drain begins are refused at once', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1, maxSessions: 2 },
    driver: { script: scriptOf({ long: worksFor(5_000) }) },
  });
  await (await fixture.pool.getSessionClient('busy')).prompt(text('long'));
  const waiting = ['slot', 'place'].map((name) =>
    fixture.pool.getSessionClient(name).catch((error: unknown) => error),
  );
  await settle();
  const drained = fixture.pool.drain();
  for (const refusal of await Promise.all(waiting))
    expect(refusal).toMatchObject({ code: 'draining' });
  await pass(5_000);
  await drained;
});

test('a drain ends a start that is under way, and nothing is left of it', async () => {
  const fixture = makePool({ driver: { startMs: 60_000 } });
  const starting = fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  await pass(1_000);
  const drained = fixture.pool.drain(0);
  await pass(0);
  await drained;
  expect(await starting).toMatchObject({ code: 'draining' });
  expect(fixture.pool.stats().processSlots.used).toBe(0);
  expect(fixture.host.folders.size).toBe(0);
});

test('an event stream needs no process, and an unknown session has none', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  await pass(700_000);
  const leaving = new AbortController();
  const items = await fixture.pool.followEvents('default', 'a', {
    after: 0,
    signal: leaving.signal,
  });
  const first = await items[Symbol.asyncIterator]().next();
  expect(first.done).toBe(false);
  leaving.abort();
  expect(fixture.driver.alive).toEqual([]);
  await expect(fixture.pool.followEvents('default', 'x', { after: 0 })).rejects.toMatchObject({
    code: 'session_not_found',
  });
});

test('with warmOnRead a reader brings the process back where a slot is free, and its first caller shares the start', async () => {
  const fixture = makePool({ pool: { warmOnRead: true }, driver: { startMs: 1_000 } });
  const first = ask(fixture, 'a', 'one');
  await pass(1_000);
  await first;
  await (await fixture.pool.getSessionClient('a')).disconnect('evicted');
  await fixture.pool.followEvents('default', 'a', { after: 0 });
  await fixture.pool.followEvents('default', 'a', { after: 0 });
  await pass(900);
  const second = ask(fixture, 'a', 'two');
  await pass(100);
  expect(await second).toBe('You said: two. Before: one.');
  expect(fixture.driver.processes).toHaveLength(2);
});

test('a reader takes no process from anybody, waits in no queue, and is not hurt by a start that fails', async () => {
  let broken = false;
  const fixture = makePool({
    pool: { warmOnRead: true, maxProcesses: 1, startAttempts: 1 },
    driver: {
      onStart: () => {
        if (broken) throw new RoundhouseError('session_connection_failed', 'no');
      },
    },
  });
  await ask(fixture, 'a', 'one');
  await pass(2_000);
  await ask(fixture, 'b', 'one');
  await pass(2_000);
  const follow = () => fixture.pool.followEvents('default', 'a', { after: 0 });
  await follow();
  await settle();
  expect((await fixture.pool.getSessionInfo('default', 'b'))?.status).toBe('idle');
  expect(fixture.pool.stats().processSlots.waiting).toBe(0);
  // Who needs the process waits for a slot, and may have one taken, also in the moment in which the reader finds none.
  await follow();
  const needed = fixture.pool.getSessionClient('a');
  await pass(100);
  expect((await needed).status).toBe('idle');
  await (await needed).disconnect('test');
  broken = true;
  const items = await follow();
  await pass(100);
  expect((await fixture.pool.getSessionInfo('default', 'a'))?.status).toBe('error');
  expect((await items[Symbol.asyncIterator]().next()).value.record.number).toBe(1);
});
