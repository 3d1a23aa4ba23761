import { expect, test } from 'vitest';
import { chooseVictim, isEvictable } from './eviction.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

/** Sessions that have run a turn each, one second apart. */
async function sessions(fixture: PoolFixture, ...names: string[]) {
  const clients = [];
  for (const name of names) {
    await ask(fixture, name, 'one');
    clients.push(await fixture.pool.getSessionClient(name));
    await pass(1_000);
  }
  return clients;
}

test('the least recently used comes first, counted from the end of its last turn', async () => {
  const fixture = makePool();
  const clients = await sessions(fixture, 'a', 'b', 'c');
  expect(chooseVictim(clients)?.name).toBe('a');
  await ask(fixture, 'a', 'two');
  await pass(1_000);
  expect(chooseVictim(clients)?.name).toBe('b');
});

test('a session that runs, or has prompts waiting, is never taken', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const [a, b] = await sessions(fixture, 'a', 'b');
  if (a === undefined || b === undefined) throw new Error('no sessions');
  const recorded = a.prompt(text('long'));
  // From the call on, not only when the prompt is in the store.
  expect(isEvictable(a)).toBe(false);
  await recorded;
  await settle();
  expect(isEvictable(a)).toBe(false);
  expect(chooseVictim([a, b])).toBe(b);
  expect(chooseVictim([a])).toBeUndefined();
});

test('one that somebody reads comes after all that nobody reads', async () => {
  const fixture = makePool();
  const [a, b] = await sessions(fixture, 'a', 'b');
  if (a === undefined || b === undefined) throw new Error('no sessions');
  const reader = a.read({ after: a.row.turnCount + 100 })[Symbol.asyncIterator]();
  void reader.next();
  await settle();
  expect(chooseVictim([a, b])).toBe(b);
  expect(chooseVictim([a])).toBe(a);
});

test('a process that has run nothing yet is left alone for its first second', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  expect(isEvictable(client)).toBe(false);
  await pass(999);
  expect(isEvictable(client)).toBe(false);
  await pass(1);
  expect(isEvictable(client)).toBe(true);
});

test('a caller that waits gets the process that nobody prompted, when its first second is over', async () => {
  const fixture = makePool({ pool: { maxProcesses: 1 } });
  const unused = await fixture.pool.getSessionClient('a');
  const waiting = fixture.pool.getSessionClient('b');
  await pass(500);
  expect(unused.status).toBe('idle');
  await pass(600);
  expect((await waiting).status).toBe('idle');
  expect(unused.status).toBe('disconnected');
});
