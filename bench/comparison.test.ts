import { expect, test } from 'vitest';

import { toRow } from './comparison.ts';

test('a row has the medians, their ratio, the difference of pairs and both p99', () => {
  expect(
    toRow({
      what: 'first text',
      unit: 'ms',
      base: { name: 'bare', samples: [10, 20, 40] },
      ours: [12, 25, 42],
    }),
  ).toEqual({
    what: 'first text',
    unit: 'ms',
    n: 3,
    base: 'bare',
    baseMedian: 20,
    oursMedian: 25,
    ratio: 1.25,
    difference: 2,
    baseP99: 40,
    oursP99: 42,
  });
});

test('without pairs the difference is that of the medians', () => {
  const base = { name: 'bare', samples: [1, 2, 3, 4] };
  expect(toRow({ what: '', unit: 'µs', base, ours: [10] }).difference).toBe(7.5);
});

test('what is no time has no p99', () => {
  const base = { name: 'bare', samples: [3] };
  for (const unit of ['starts/s', 'MiB', '%'] as const) {
    expect(toRow({ what: '', unit, base, ours: [4] })).toMatchObject({
      baseP99: null,
      oursP99: null,
    });
  }
});

test('a rate has no p99, and nothing to compare with leaves gaps', () => {
  expect(toRow({ what: 'calls', unit: 'calls/s', ours: [100, 300] })).toMatchObject({
    oursMedian: 200,
    base: null,
    ratio: null,
    difference: null,
    oursP99: null,
  });
});
