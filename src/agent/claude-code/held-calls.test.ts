import { expect, test } from 'vitest';
import { HeldCalls } from './held-calls.ts';
import { pass, settle, useFakeClock } from '../../../test/support/fake-clock.ts';

useFakeClock();

function makeHeld() {
  const told: string[] = [];
  const stored = new Set<string>();
  let commits = 0;
  const held = new HeldCalls({
    isCommitted: (id) => stored.has(id),
    commit: () => {
      commits += 1;
      return Promise.resolve();
    },
    tell: (ids) => void told.push(ids.join(' ')),
  });
  const store = (...ids: string[]): void => {
    for (const id of ids) stored.add(id);
    held.look();
  };
  return { held, told, store, commits: () => commits };
}

test('the client is asked when the agent waits, the message is complete and the store has it', () => {
  const { held, told, store } = makeHeld();
  held.messageOpen = true;
  held.expect('a');
  void held.hold('a');
  store('a');
  expect(told).toEqual([]);
  held.expect('b');
  held.messageOpen = false;
  expect(told).toEqual([]);
  store('b');
  expect(told).toEqual(['a b']);
  held.look();
  expect(told).toEqual(['a b']);
});

test('nobody is asked while a call is being carried out: another process would repeat it', () => {
  const { held, told, store } = makeHeld();
  held.begin('reads');
  void held.hold('a');
  store('a');
  expect(told).toEqual([]);
  held.finish('reads');
  expect(told).toEqual(['a']);
});

test('an answer reaches a call that the agent has not come to yet, once', async () => {
  const { held, store } = makeHeld();
  held.expect('a');
  held.expect('b');
  store('a', 'b');
  expect(held.answer('b', { behavior: 'allow' })).toBe(true);
  expect(held.answer('b', { behavior: 'deny', message: 'or not' })).toBe(false);
  expect(held.answer('unknown', { behavior: 'allow' })).toBe(false);
  expect(await held.hold('b')).toEqual({ behavior: 'allow' });
  expect(held.waiting).toBe(false);
});

test('a call that the agent asks about by itself is asked about with those that have no answer yet', () => {
  const { held, told, store } = makeHeld();
  store('a', 'b');
  held.begin('b');
  void held.hold('a');
  void held.hold('b');
  expect(told).toEqual(['a b']);
});

test('a transcript that does not come is put into the store, and the client is asked all the same', async () => {
  const { held, told, commits } = makeHeld();
  void held.hold('a');
  await pass(2_900);
  expect([commits(), told]).toEqual([0, []]);
  await pass(200);
  expect([commits(), told]).toEqual([1, ['a']]);
});

test('nobody is asked after the end', async () => {
  const { held, told, commits } = makeHeld();
  void held.hold('a');
  held.close();
  await pass(10_000);
  await settle();
  expect([commits(), told]).toEqual([0, []]);
});
