import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';

import { runChaos } from '../../chaos/run.ts';

/** Without it nothing ends the agents of a server that was killed, until the next start. */
const HAS_SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].some((path) => existsSync(path));
/** Prompts and faults; coming to rest and the last checks take about as long again. */
const MINUTES = 0.2;
/** Draws a clock that jumps, a kill of the server, an interrupt, a kill of an agent and a burst as its first faults. */
const SEED = 1761;

test.runIf(HAS_SETPRIV)('a short chaos run on real processes breaks no invariant', async () => {
  const printed: string[] = [];
  const result = await runChaos({
    minutes: MINUTES,
    seed: SEED,
    maxProcesses: 2,
    sessions: 4,
    ownDisk: false,
    keepLog: false,
    print: (text) => printed.push(text),
  });
  const report = printed.join('\n');
  expect(result.violations, report).toBe(0);
  expect(result.faults, report).toBeGreaterThan(5);
  expect(result.prompts, report).toBeGreaterThan(4);
  expect(report).toMatch(/\*\*leftovers\*\*\s+\|\s+0 \|/);
});
