import { expect, test } from 'vitest';
import { TurnClock } from './turn-clock.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

function makeClock() {
  const reached: number[] = [];
  const start = performance.now();
  const clock = new TurnClock({
    turnMs: 1_000,
    onLimit: () => reached.push(performance.now() - start),
  });
  return { clock, reached };
}

test('it runs from where a process first got the turn', async () => {
  const { clock, reached } = makeClock();
  await pass(300);
  clock.run();
  await pass(500);
  // A further process.
  clock.run();
  await pass(2_000);
  expect(reached).toEqual([1_300]);
});

test('it stands still while the client is waited for, from the first question on', async () => {
  const { clock, reached } = makeClock();
  clock.run();
  await pass(400);
  clock.pause();
  await pass(2_000);
  clock.pause();
  await pass(2_000);
  expect([clock.paused, clock.overdue]).toEqual([true, false]);
  clock.resume();
  clock.run();
  await pass(2_000);
  expect(reached).toEqual([5_000]);
});

test('time counts while the turn is brought into another process, and the limit acts there', async () => {
  const { clock, reached } = makeClock();
  clock.run();
  clock.pause();
  clock.resume();
  await pass(1_500);
  expect(reached).toEqual([]);
  expect(clock.overdue).toBe(true);
  clock.run();
  await pass(1);
  expect(reached).toEqual([1_501]);
});

test('nothing is too long after it has stopped', async () => {
  const { clock, reached } = makeClock();
  clock.run();
  clock.stop();
  clock.run();
  await pass(2_000);
  expect(reached).toEqual([]);
  expect(clock.overdue).toBe(false);
});
