import { randomUUID } from 'node:crypto';
import { z } from 'zod';

import { bareSetup, progress, range, withServer, type Stand } from './stand.ts';
import type { Comparison } from '../comparison.ts';
import { BareAgent, type BareSetup } from '../latency/bare-agent.ts';
import { monotonicMs } from '../../src/time/clock.ts';

/** Starts at once. */
const AT_ONCE = [1, 2, 4];
const STARTS = 8;
const QUICK_STARTS = 4;

/** How many processes come up in a second, with so many starts going on at once, beside bare `startup()`. */
export async function measureStarts(stand: Stand): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  for (const atOnce of stand.quick ? AT_ONCE.slice(1, 2) : AT_ONCE) {
    progress(`starts, ${atOnce} at once`);
    comparisons.push(await measureAtOnce(stand, atOnce));
  }
  return comparisons;
}

async function measureAtOnce(stand: Stand, atOnce: number): Promise<Comparison> {
  const { quick, calm } = stand;
  const starts = quick ? QUICK_STARTS : STARTS;
  const bare = bareSetup(stand, `bare-starts-${atOnce}`);
  const flags = { 'pool-max-starts': String(atOnce), 'max-processes': String(starts) };
  return withServer(stand, `starts-${atOnce}`, { flags }, async ({ server }) => {
    const ours: number[] = [];
    const base: number[] = [];
    for (let round = quick ? 0 : -1; round < (quick ? 1 : 3); round += 1) {
      await calm.wait();
      const baseRate = await bareRate(bare, starts, atOnce);
      // Its process is the session's, so sessions that are new each time.
      const names = range(starts).map(() => `start-${randomUUID()}`);
      const startedAtMs = monotonicMs();
      await Promise.all(names.map((name) => server.call('connect', name, z.unknown())));
      const rate = perSecond(starts, startedAtMs);
      await Promise.all(names.map((name) => server.call('remove', name, z.unknown())));
      if (round < 0) continue;
      base.push(baseRate);
      ours.push(rate);
    }
    const name = 'startup()';
    return {
      what: `starts, ${atOnce} at once`,
      unit: 'starts/s',
      base: { name, samples: base },
      ours,
    };
  });
}

/** The SDK alone: the next one begins when one is ready. */
async function bareRate(bare: BareSetup, starts: number, atOnce: number): Promise<number> {
  const agents: BareAgent[] = [];
  let begun = 0;
  const startedAtMs = monotonicMs();
  const worker = async (): Promise<void> => {
    while (begun < starts) {
      begun += 1;
      agents.push(await BareAgent.open(bare, { sessionId: randomUUID() }, 'startup'));
    }
  };
  try {
    await Promise.all(range(atOnce).map(worker));
    return perSecond(starts, startedAtMs);
  } finally {
    await Promise.all(agents.map((agent) => agent.close()));
  }
}

function perSecond(count: number, sinceMs: number): number {
  return (count / (monotonicMs() - sinceMs)) * 1000;
}
