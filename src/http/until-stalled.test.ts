import { expect, test } from 'vitest';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { untilStalled } from './until-stalled.ts';

useFakeClock();

async function* texts(): AsyncGenerator<string> {
  yield 'a';
  yield 'b';
}

test('a text that is not taken in time is told, one that is taken is not', async () => {
  let stalls = 0;
  const passed = untilStalled(texts(), 1_000, () => {
    stalls += 1;
  });
  expect((await passed.next()).value).toBe('a');
  await pass(999);
  expect((await passed.next()).value).toBe('b');
  await pass(999);
  expect(stalls).toBe(0);
  await pass(1);
  expect(stalls).toBe(1);
});

test('neither the end nor a reader that leaves counts as a stall', async () => {
  let stalls = 0;
  const onStall = (): void => {
    stalls += 1;
  };
  const whole: string[] = [];
  for await (const text of untilStalled(texts(), 1_000, onStall)) whole.push(text);
  const left = untilStalled(texts(), 1_000, onStall);
  await left.next();
  await left.return(undefined);
  await pass(5_000);
  expect([whole, stalls]).toEqual([['a', 'b'], 0]);
});
