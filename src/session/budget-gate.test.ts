import { expect, test } from 'vitest';
import { BudgetGate } from './budget-gate.ts';
import type { StopCause } from './stop-cause.ts';
import type { Turn } from './turn.ts';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { storedTurn } from '../../test/support/turn-fixture.ts';

useFakeClock();

const SPENT: StopCause = { code: 'budget_reached', message: 'Nothing is left.' };

function makeGate(cause?: StopCause) {
  const budget = { looks: 0, cause };
  const told: (readonly [Turn, StopCause | undefined])[] = [];
  const gate = new BudgetGate({
    budget: {
      stops: async () => {
        budget.looks += 1;
        return budget.cause;
      },
    },
    onLooked: (turn, why) => told.push([turn, why]),
  });
  return { budget, gate, told };
}

test('a prompt waits until the budget has been looked at, once however often it is asked for', async () => {
  const { budget, gate, told } = makeGate();
  const turn = storedTurn();
  expect([gate.isOpenFor(turn), gate.isOpenFor(turn)]).toEqual([false, false]);
  await settle();
  expect(told).toEqual([[turn, undefined]]);
  expect(gate.isOpenFor(turn)).toBe(true);
  expect(budget.looks).toBe(1);
});

test('the gate stays shut for a prompt that the budget stops', async () => {
  const { gate, told } = makeGate(SPENT);
  const turn = storedTurn();
  gate.isOpenFor(turn);
  await settle();
  expect(told).toEqual([[turn, SPENT]]);
  expect(gate.isOpenFor(turn)).toBe(false);
});

test('the next prompt is looked at anew, whatever was found for the one before', async () => {
  const { budget, gate } = makeGate();
  const [first, second] = [storedTurn(), storedTurn()];
  gate.isOpenFor(first);
  await settle();
  budget.cause = SPENT;
  gate.forget(first);
  expect(gate.isOpenFor(second)).toBe(false);
  await settle();
  expect(gate.isOpenFor(second)).toBe(false);
  expect(budget.looks).toBe(2);
});

test('what was found for a prompt that has gone meanwhile opens the gate for no other', async () => {
  const { budget, gate } = makeGate();
  const [gone, next] = [storedTurn(), storedTurn()];
  gate.isOpenFor(gone);
  gate.forget(gone);
  budget.cause = SPENT;
  gate.isOpenFor(next);
  await settle();
  expect(gate.isOpenFor(next)).toBe(false);
});
