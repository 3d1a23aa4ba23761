import { expect, test } from 'vitest';

import { toRow } from './comparison.ts';
import { formatNumber, formatTable } from './table.ts';

test('the table is aligned Markdown, numbers to the right, with a sign on a difference', () => {
  const table = formatTable([
    toRow({
      what: 'warm',
      unit: 'ms',
      base: { name: 'bare SDK', samples: [30] },
      ours: [33.456],
    }),
    toRow({ what: 'getSessionClient', unit: 'calls/s', ours: [123_456.7] }),
  ]);
  expect(table.split('\n')).toEqual([
    '| what             |  n | base     | base median | ours median | unit    | ratio | difference | base p99 | ours p99 |',
    '| ---------------- | -: | -------- | ----------: | ----------: | ------- | ----: | ---------: | -------: | -------: |',
    '| warm             |  1 | bare SDK |       30.00 |       33.46 | ms      |  1.12 |      +3.46 |    30.00 |    33.46 |',
    '| getSessionClient |  1 | -        |           - |     123,457 | calls/s |     - |          - |        - |        - |',
  ]);
});

test('numbers have the digits that they deserve', () => {
  expect(formatNumber(0.1234, 'ms')).toBe('0.12');
  expect(formatNumber(123.456, 'ms')).toBe('123.5');
  expect(formatNumber(1234.5, 'µs')).toBe('1,235');
  expect(formatNumber(-4.321, 'ms')).toBe('-4.32');
  expect(formatNumber(12.3, 'events/s')).toBe('12');
  expect(formatNumber(2.345, 'starts/s')).toBe('2.35');
  expect(formatNumber(null, 'ms')).toBe('-');
});
