import { expect, test } from 'vitest';

import { collectAll, giveBackIdleMemory } from './idle-memory.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

/** A server whose work the test decides, and how often its memory was given back. */
function world() {
  const state = { busy: false, collections: 0 };
  const stop = giveBackIdleMemory({
    busy: () => state.busy,
    collect: () => {
      state.collections += 1;
    },
  });
  return { state, stop };
}

test('Memory is given back once, half a minute after the last work.', async () => {
  const { state } = world();
  state.busy = true;
  await pass(60_000);
  expect(state.collections).toBe(0);
  state.busy = false;
  await pass(29_999);
  expect(state.collections).toBe(0);
  await pass(1);
  expect(state.collections).toBe(1);
  await pass(3_600_000);
  expect(state.collections).toBe(1);
});

test('Work in between begins the half minute again, and each rest counts anew.', async () => {
  const { state } = world();
  state.busy = true;
  await pass(5_000);
  for (let spell = 0; spell < 3; spell += 1) {
    state.busy = false;
    await pass(25_000);
    state.busy = true;
    await pass(5_000);
  }
  expect(state.collections).toBe(0);
  for (let rest = 1; rest <= 2; rest += 1) {
    state.busy = true;
    await pass(5_000);
    state.busy = false;
    await pass(60_000);
    expect(state.collections).toBe(rest);
  }
});

test('A server that has never worked, or was stopped, gives nothing back.', async () => {
  const unused = world();
  await pass(3_600_000);
  expect(unused.state.collections).toBe(0);
  const stopped = world();
  stopped.state.busy = true;
  await pass(5_000);
  stopped.stop();
  stopped.state.busy = false;
  await pass(60_000);
  expect(stopped.state.collections).toBe(0);
});

test('What nobody holds any more is collected.', async () => {
  const held = new WeakRef({ text: 'held by nobody' });
  // A WeakRef keeps its target to the end of the job that made it.
  await new Promise((resolve) => setImmediate(resolve));
  collectAll();
  expect(held.deref()).toBeUndefined();
});
