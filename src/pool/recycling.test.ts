import { expect, test, vi } from 'vitest';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, collect, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { ScriptedProcess } from '../agent/scripted/scripted-process.ts';

useFakeClock();

const MIB = 1024 * 1024;

function taken(fixture: PoolFixture): unknown[] {
  return fixture.lines
    .filter(({ event }) => event === 'session_process_taken')
    .map(({ reason }) => reason);
}

test('a process that has run its turns goes when the last one ends, and the conversation goes on in another', async () => {
  const fixture = makePool({ pool: { maxTurnsPerProcess: 2 } });
  await ask(fixture, 'a', 'one');
  expect(fixture.driver.alive).toHaveLength(1);
  await ask(fixture, 'a', 'two');
  await settle();
  expect(fixture.driver.alive).toHaveLength(0);
  expect(taken(fixture)).toEqual(['recycled']);
  expect(await ask(fixture, 'a', 'three')).toBe('You said: three. Before: one | two.');
  expect(fixture.driver.processes).toHaveLength(2);
});

test('prompts that wait get the next process, in order, and none is lost', async () => {
  const fixture = makePool({ pool: { maxTurnsPerProcess: 2 } });
  const client = await fixture.pool.getSessionClient('a');
  const handles = [];
  for (const prompt of ['1', '2', '3', '4', '5']) handles.push(await client.prompt(text(prompt)));
  await Promise.all(handles.map((handle) => collect(handle)));
  expect(await ask(fixture, 'a', '6')).toBe('You said: 6. Before: 1 | 2 | 3 | 4 | 5.');
  expect(fixture.driver.processes).toHaveLength(3);
  expect(taken(fixture)).toEqual(['recycled', 'recycled', 'recycled']);
});

test('a process that holds too much goes with the next look, and one that has run nothing stays', async () => {
  vi.spyOn(ScriptedProcess.prototype, 'memoryBytes').mockImplementation(function measure(
    this: ScriptedProcess,
  ) {
    return Promise.resolve((this.spec.resume ? 501 : 500) * MIB);
  });
  const fixture = makePool({
    pool: { maxProcessBytes: 500 * MIB, cleanupIntervalMs: 10_000 },
  });
  await ask(fixture, 'a', 'one');
  await pass(20_000);
  expect(taken(fixture)).toEqual([]);
  await fixture.pool.close();

  const again = makePool({
    pool: { maxProcessBytes: 500 * MIB, cleanupIntervalMs: 10_000 },
    store: fixture.store,
  });
  await again.pool.getSessionClient('a');
  // It is too large already, but it has run nothing: a new one would be no smaller.
  await pass(20_000);
  expect(taken(again)).toEqual([]);
  await ask(again, 'a', 'two');
  await pass(10_000);
  expect(taken(again)).toEqual(['recycled']);
  expect(again.line('session_process_taken')).toMatchObject({ bytes: 501 * MIB });
});

test('sessions that were started together do not expire together, and none later than its time', async () => {
  const lots = [0, 0.5, 1];
  let drawn = 0;
  vi.spyOn(Math, 'random').mockImplementation(() => lots[drawn++ % lots.length] ?? 0);
  const fixture = makePool({ pool: { sessionTtlMs: 100_000, cleanupIntervalMs: 1_000 } });
  for (const name of ['a', 'b', 'c']) await ask(fixture, name, 'one');
  const alive: number[] = [];
  for (const untilMs of [89_999, 1, 4_999, 1, 4_999, 1]) {
    await pass(untilMs);
    alive.push(fixture.driver.alive.length);
  }
  expect(alive).toEqual([3, 2, 2, 1, 1, 0]);
  expect(taken(fixture)).toEqual(['expired', 'expired', 'expired']);
});
