import { expect, test } from 'vitest';
import { endBy } from './stop-cause.ts';
import { NOTHING_SPENT, TurnCost, withRequest } from './turn-cost.ts';
import { NO_USAGE, type TurnEnd } from '../events/record.ts';

/** A request of 1 cent at the list price of the model. */
const CENT = { model: 'claude-opus-5-5', usage: { ...NO_USAGE, outputTokens: 500 } };

/** An end with what the last process told of itself. */
function endWith(costUsd: number, modelRequests: number): TurnEnd {
  const end = endBy({ code: 'turn_interrupted', message: '' });
  return { ...end, usage: { ...NO_USAGE, outputTokens: 500, costUsd }, modelRequests };
}

test('requests of all processes are counted, and those of an earlier host', () => {
  const cost = new TurnCost(withRequest(NOTHING_SPENT, CENT));
  cost.add(CENT);
  cost.leaveBehind();
  cost.add(CENT);
  expect(cost.spent).toMatchObject({ modelRequests: 3, usage: { outputTokens: 1_500 } });
  expect(cost.spent.usage.costUsd).toBeCloseTo(0.03);
});

test('an end has what the processes before have used, and the own figure of the last one', () => {
  const cost = new TurnCost();
  cost.add(CENT);
  cost.leaveBehind();
  cost.add(CENT);
  const { usage, modelRequests } = cost.whole(endWith(0.05, 1));
  expect(usage).toMatchObject({ outputTokens: 1_000 });
  expect(usage.costUsd).toBeCloseTo(0.06);
  expect(modelRequests).toBe(2);
});

test('where the last process has not told its cost the estimate stands', () => {
  const cost = new TurnCost();
  cost.add(CENT);
  cost.leaveBehind();
  cost.add(CENT);
  expect(cost.whole(endWith(0, 1)).usage.costUsd).toBeCloseTo(0.02);
});

test('a model without a list price is remembered, also when its process has gone', () => {
  const cost = new TurnCost();
  cost.add({ ...CENT, model: 'unheard-of' });
  cost.leaveBehind();
  cost.add(CENT);
  expect(cost.spent.unpricedModel).toBe('unheard-of');
});
