import { expect, test } from 'vitest';

import { compareRuns, type Run } from './runs.ts';

function run(cpuUs: number): Run {
  return { cpuUs, elapsedMs: 1_000, events: 100, delaysMs: [] };
}

test('puts ours beside every other sender, with the figures of its runs in their order', () => {
  const runs = new Map([
    ['least', [run(1), run(2)]],
    ['ours', [run(5), run(4)]],
    ['other', [run(3), run(6)]],
  ]);
  expect(compareRuns('CPU', 'µs', { runs, ours: 'ours' }, ({ cpuUs }) => cpuUs)).toEqual([
    { what: 'CPU', unit: 'µs', base: { name: 'least', samples: [1, 2] }, ours: [5, 4] },
    { what: 'CPU', unit: 'µs', base: { name: 'other', samples: [3, 6] }, ours: [5, 4] },
  ]);
});
