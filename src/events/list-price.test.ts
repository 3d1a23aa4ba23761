import { expect, test } from 'vitest';
import { hasListPrice, listPriceUsd } from './list-price.ts';
import { NO_USAGE } from './record.ts';

const MILLION = 1_000_000;

test.each([
  ['inputTokens', 4],
  ['outputTokens', 20],
  ['cacheReadInputTokens', 0.2],
  ['cacheCreationInputTokens', 5],
] as const)('a million %s have the price of their kind', (field, usd) => {
  expect(listPriceUsd('claude-opus-5-5', { ...NO_USAGE, [field]: MILLION })).toBeCloseTo(usd, 9);
});

test('the kinds are added up', () => {
  const usage = {
    inputTokens: 1_000,
    outputTokens: 2_000,
    cacheReadInputTokens: 10_000,
    cacheCreationInputTokens: 4_000,
    costUsd: 7,
  };
  expect(listPriceUsd('claude-opus-5-5', usage)).toBeCloseTo(0.004 + 0.04 + 0.002 + 0.02, 9);
});

test('a long request of a model with two prices has the dearer one, for all of its tokens', () => {
  const usage = { ...NO_USAGE, inputTokens: 60_000, outputTokens: MILLION };
  const cached = { ...usage, cacheReadInputTokens: 40_000 };
  expect(listPriceUsd('claude-haiku-5-5', cached)).toBeCloseTo(0.5064, 9);
  const longer = { ...usage, cacheReadInputTokens: 40_001 };
  expect(listPriceUsd('claude-haiku-5-5', longer)).toBeCloseTo(2.53200005, 9);
});

test.each(['claude-haiku-4-5', 'claude-haiku-4-5-20251001', 'claude-opus-4-6[1m]'])(
  '%s has a price',
  (model) => expect(hasListPrice(model)).toBe(true),
);

test.each(['haiku', 'claude-haiku-4-51', 'gpt-4', 'constructor', ''])(
  '%s has none, unless it did nothing',
  (model) => {
    expect(hasListPrice(model)).toBe(false);
    expect(listPriceUsd(model, { ...NO_USAGE, outputTokens: 1 })).toBeUndefined();
    expect(listPriceUsd(model, NO_USAGE)).toBe(0);
  },
);
