import type { Plan } from './plan.ts';
import { compareRuns, runInTurn, type Run, type Sender } from './runs.ts';
import type { Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { percentile } from '../stats.ts';

/** 50 deltas a second, a fast model. */
const PERIOD_MS = 20;
const SECONDS = 4;
/** Streams that are read side by side. */
export const PACED_STREAMS = 200;
/** Longer than it takes to open all streams, shorter than a model takes to its first token. */
const LEAD_MS = 500;

/** Streams at the pace of a model: how late a delta arrives, and what it costs the server, `ours` beside the other senders. */
export async function measurePaced(
  client: Child,
  senders: readonly Sender[],
  ours: string,
  quick: boolean,
): Promise<Comparison[]> {
  const count = ((quick ? 1 : SECONDS) * 1000) / PERIOD_MS;
  const plan: Plan = { count, burst: 1, periodMs: PERIOD_MS, leadMs: LEAD_MS, stamped: true };
  const rounds = quick ? 1 : 3;
  const runs = await runInTurn(client, senders, { streams: PACED_STREAMS, plan, rounds });
  const what = `${PACED_STREAMS} streams at ${1000 / PERIOD_MS}/s`;
  return [
    ...compareRuns(`${what}, delay p50`, 'ms', { runs, ours }, delayAt(0.5)),
    ...compareRuns(`${what}, delay p99`, 'ms', { runs, ours }, delayAt(0.99)),
    ...compareRuns(`${what}, CPU per event`, 'µs', { runs, ours }, ({ cpuUs }) => cpuUs),
  ];
}

function delayAt(share: number): (run: Run) => number {
  return ({ delaysMs }) => percentile(delaysMs, share);
}
