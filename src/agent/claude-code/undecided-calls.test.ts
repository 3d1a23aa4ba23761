import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { UndecidedCalls, type CallEvent } from './undecided-calls.ts';

let shown: CallEvent[];
let calls: UndecidedCalls;

beforeEach(() => {
  vi.useFakeTimers();
  shown = [];
  calls = new UndecidedCalls((call) => shown.push(call));
});
afterEach(() => vi.useRealTimers());

function write(toolUseId: string): CallEvent {
  return {
    kind: 'event',
    body: {
      type: 'agent.tool_use',
      id: `sevt_${toolUseId}`,
      name: 'Write',
      input: {},
      processed_at: '2026-01-01T00:00:00.000Z',
      evaluated_permission: 'allow',
      evaluation: { type: 'always_allow' },
    },
    detail: { toolUseId },
  };
}

const asked = {
  evaluated_permission: 'ask',
  evaluation: { type: 'auto', evaluated_permission: { type: 'ask' } },
};

test('a call that the agent asks about is shown as one that is asked about, also when it asks first', () => {
  calls.add(write('a'));
  calls.begin('a');
  expect(shown).toEqual([]);
  calls.ask('a');
  calls.ask('b');
  calls.add(write('b'));
  expect(shown).toMatchObject([
    { body: { id: 'sevt_a', ...asked } },
    { body: { id: 'sevt_b', ...asked } },
  ]);
});

test('a call that the agent carries out is shown as it is: with its result, or when the agent has been at it for a second', () => {
  calls.add(write('quick'));
  calls.begin('quick');
  calls.finish('quick');
  expect(shown).toEqual([write('quick')]);

  calls.begin('long');
  calls.add(write('long'));
  vi.advanceTimersByTime(999);
  expect(shown).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(shown).toEqual([write('quick'), write('long')]);
});

test('a call that the agent has not come to is kept back, however long the one before it takes', () => {
  calls.add(write('first'));
  calls.begin('first');
  calls.add(write('second'));
  vi.advanceTimersByTime(60_000);
  expect(shown).toEqual([write('first')]);
  calls.begin('second');
  calls.ask('second');
  expect(shown[1]).toMatchObject({ body: asked });
});

test('no call is shown twice, or changed when it has been shown', () => {
  calls.add(write('a'));
  calls.showAll();
  calls.begin('a');
  vi.advanceTimersByTime(1_000);
  calls.ask('a');
  calls.finish('a');
  calls.showAll();
  expect(shown).toEqual([write('a')]);
});

test('a call that comes later than its second is shown at once', () => {
  calls.begin('a');
  vi.advanceTimersByTime(1_000);
  calls.add(write('a'));
  expect(shown).toEqual([write('a')]);
});
