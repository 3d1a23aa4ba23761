import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { mayLeave } from './places.ts';
import { RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';
import { pass, settle, startFakeClock, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, collect, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

/** Sessions that have run a turn each, one second apart. */
async function sessions(fixture: PoolFixture, ...names: string[]): Promise<void> {
  for (const name of names) {
    await ask(fixture, name, 'one');
    await pass(1_000);
  }
}

/** Names of those that have left memory for a place, in order. */
function left({ lines }: PoolFixture): unknown[] {
  return lines
    .filter(({ event, to }) => event === 'session_state_changed' && to === 'ended')
    .map(({ sessionId }) => sessionId);
}

/** Follows a session's events until the returned function is called. */
async function follow(fixture: PoolFixture, name: string): Promise<() => Promise<void>> {
  const leave = new AbortController();
  const options = { after: 0, signal: leave.signal };
  const items = await fixture.pool.followEvents('default', name, options);
  const reading = collect(items);
  await settle();
  return async () => {
    leave.abort();
    await reading;
  };
}

test('the session that has been at rest for longest leaves, counted from its last turn', async () => {
  const fixture = makePool({ pool: { maxSessions: 3 } });
  await sessions(fixture, 'a', 'b', 'c', 'a', 'd', 'e');
  expect(left(fixture)).toEqual(['b', 'c']);
});

test('taking the process of a session is no use of it: it stays the first to leave', async () => {
  const fixture = makePool({ pool: { maxSessions: 3, maxProcesses: 2 } });
  await sessions(fixture, 'a', 'b');
  await sessions(fixture, 'c');
  expect((await fixture.pool.getSessionInfo('default', 'a'))?.status).toBe('disconnected');
  await sessions(fixture, 'd');
  expect(left(fixture)).toEqual(['a']);
});

test('one that is read stays until its last reader has left, and then leaves at once', async () => {
  const fixture = makePool({ pool: { maxSessions: 2 } });
  await sessions(fixture, 'a', 'b');
  const [one, two, other] = [
    await follow(fixture, 'a'),
    await follow(fixture, 'a'),
    await follow(fixture, 'b'),
  ];
  const waiting = fixture.pool.getSessionClient('c');
  await pass(5_000);
  await one();
  await settle();
  expect(left(fixture)).toEqual([]);
  await two();
  expect((await waiting).status).toBe('idle');
  expect(left(fixture)).toEqual(['a']);
  await other();
});

test('one that has left memory without a process is no candidate any more', async () => {
  const fixture = makePool({
    pool: { maxSessions: 1, maxWaiters: 0 },
    driver: { script: scriptOf({ long: HANGS }) },
  });
  await sessions(fixture, 'a');
  await pass(700_000);
  expect(left(fixture)).toEqual(['a']);
  await (await fixture.pool.getSessionClient('b')).prompt(text('long'));
  const refused = fixture.pool.getSessionClient('c').catch((error: unknown) => error);
  await settle();
  expect(await Promise.race([refused, Promise.resolve('waits')])).toMatchObject({
    code: 'queue_full',
  });
});

test('one whose prompt the store refused can leave, as if it had not been asked', async () => {
  const fixture = makePool({ pool: { maxSessions: 1 } });
  await sessions(fixture, 'a');
  const client = await fixture.pool.getSessionClient('a');
  const stored = Promise.withResolvers<void>();
  vi.spyOn(fixture.store, 'append').mockImplementationOnce(() => stored.promise);
  const refused = client.prompt(text('two')).catch((error: unknown) => error);
  const waiting = fixture.pool.getSessionClient('b');
  await settle();
  expect(left(fixture)).toEqual([]);
  stored.reject(new RoundhouseError('storage_failed', 'no disk'));
  expect(await refused).toMatchObject({ code: 'storage_failed' });
  expect((await waiting).status).toBe('idle');
});

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const step = fc.oneof(
  fc.record({ ask: fc.constantFrom(...NAMES) }),
  fc.record({ prompt: fc.constantFrom(...NAMES), long: fc.boolean(), fails: fc.boolean() }),
  fc.record({ interrupt: fc.constantFrom(...NAMES) }),
  fc.record({ follow: fc.constantFrom(...NAMES) }),
  fc.constant({ leave: true as const }),
  fc.record({ advance: fc.constantFrom(10, 500, 1_100, 3_000) }),
);

test('nobody waits for a place while a session may leave', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
      startFakeClock();
      const driver = { script: scriptOf({ long: HANGS }) };
      const fixture = makePool({
        driver,
        pool: { maxSessions: 3, maxProcesses: 100, waitMs: 3_600_000, idleThresholdMs: 3_600_000 },
      });
      const clients = new Set<SessionClient>();
      const waiting = new Set<Promise<unknown>>();
      const needless: string[] = [];
      const readers: (() => Promise<void>)[] = [];
      const get = async (name: string): Promise<SessionClient> => {
        const call = fixture.pool.getSessionClient(name);
        waiting.add(call);
        const client = await call;
        waiting.delete(call);
        clients.add(client);
        return client;
      };
      for (const act of steps) {
        if ('ask' in act) void get(act.ask);
        else if ('prompt' in act) {
          void get(act.prompt).then((client) => {
            const { store } = fixture;
            if (act.fails) vi.spyOn(store, 'append').mockRejectedValueOnce(new Error('no disk'));
            return client.prompt(text(act.long ? 'long' : 'short')).catch(() => {});
          });
        } else if ('interrupt' in act) {
          void fixture.pool.interruptSession('default', act.interrupt).catch(() => {});
        } else if ('follow' in act) {
          if ([...clients].some(({ name, status }) => name === act.follow && status !== 'ended'))
            readers.push(await follow(fixture, act.follow));
        } else if ('leave' in act) void readers.shift()?.();
        else await pass(act.advance);
        await settle();
        const free = [...clients].filter(
          (client) =>
            client.status !== 'ended' &&
            mayLeave(client) &&
            // Its first second is over by so much that the timer has seen it.
            (client.turnsOfProcess > 0 || client.idleSeconds > 1.03),
        );
        if (waiting.size > 0) needless.push(...free.map(({ name }) => name));
      }
      vi.clearAllTimers();
      expect(needless).toEqual([]);
    }),
    { numRuns: 60 },
  );
}, 60_000);
