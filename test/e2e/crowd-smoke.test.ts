import { expect, test } from 'vitest';

import { runCrowd } from '../../chaos/crowd/run.ts';

test('more sessions than processes, under three keys, each keep their own history', async ({
  signal,
}) => {
  const printed: string[] = [];
  const result = await runCrowd({
    prompts: 16,
    sessions: 6,
    processes: 2,
    seed: 5,
    signal,
    print: (text) => printed.push(text),
  });
  const report = printed.join('\n');
  expect(result.violations, report).toBe(0);
  expect(result.answered, report).toBe(16);
  // Otherwise it would have shown nothing: every session stayed on its first process, or nobody waited.
  expect(result.evictions, report).toBeGreaterThan(8);
  expect(result.longestWaitMs, report).toBeGreaterThan(0);
  expect(report).toMatch(/most processes alive at once, of \d+ looks\s+\|\s+[12] \|/);
  expect(report).toMatch(/processes started to resume a session\s+\|\s+\d+ \|/);
});
