import { z } from 'zod';

import type { Plan } from './plan.ts';
import { runResultSchema, type RunResult } from './run-result.ts';
import { startChild, type Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { percentile } from '../stats.ts';
import { serveSuite, type SuiteOptions } from '../suite.ts';

const MODES = ['each', 'tick', 'ours'] as const;
type Mode = (typeof MODES)[number];

const BASES = [
  { mode: 'each', name: 'node:http, a write per event' },
  { mode: 'tick', name: 'node:http, a write per tick' },
] as const;

/** Deltas of all streams together in one run, as fast as it goes. */
const FLOOD = 60_000;
const QUICK_FLOOD = 10_000;
const STREAMS = [1, 50, 200];
/** Deltas that come at once: a pipe read of an agent that streams fast. */
const BURST = 16;
/** 50 deltas a second, a fast model. */
const PERIOD_MS = 20;
const PACED_SECONDS = 4;
const PACED_STREAMS = 200;

interface Sender {
  readonly server: Child;
  readonly url: string;
}
type Senders = Readonly<Record<Mode, Sender>>;

interface Run extends RunResult {
  /** CPU time of the server per delta, in microseconds. */
  readonly cpuUs: number;
}

serveSuite(runSse);

/** Events per second and CPU per event of our SSE path, beside the least that `node:http` can do with the same events. */
async function runSse({ quick, environment }: SuiteOptions): Promise<Comparison[]> {
  const children: Child[] = [];
  const start = (file: string): Child => {
    const child = startChild(new URL(file, import.meta.url), { environment });
    children.push(child);
    return child;
  };
  const sender = async (mode: Mode): Promise<Sender> => {
    const server = start('server-process.ts');
    return { server, url: await server.call('start', mode, z.string()) };
  };
  try {
    const client = start('client-process.ts');
    const senders = {
      each: await sender('each'),
      tick: await sender('tick'),
      ours: await sender('ours'),
    };
    const comparisons: Comparison[] = [];
    for (const streams of STREAMS) {
      comparisons.push(...(await flood(client, senders, streams, quick)));
    }
    comparisons.push(...(await paced(client, senders, quick)));
    return comparisons;
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

async function flood(
  client: Child,
  senders: Senders,
  streams: number,
  quick: boolean,
): Promise<Comparison[]> {
  const count = (quick ? QUICK_FLOOD : FLOOD) / streams;
  const plan: Plan = { count, burst: BURST, periodMs: 0, stamped: false };
  const runs = await runInTurn(client, senders, streams, plan, quick ? 2 : 5);
  return [
    ...compare(`flood, streams: ${streams}`, 'events/s', runs, eventsPerSecond),
    ...compare(`flood, streams: ${streams}, CPU per event`, 'µs', runs, ({ cpuUs }) => cpuUs),
  ];
}

async function paced(client: Child, senders: Senders, quick: boolean): Promise<Comparison[]> {
  const seconds = quick ? 1 : PACED_SECONDS;
  const count = (seconds * 1000) / PERIOD_MS;
  const plan: Plan = { count, burst: 1, periodMs: PERIOD_MS, stamped: true };
  const runs = await runInTurn(client, senders, PACED_STREAMS, plan, quick ? 1 : 3);
  const what = `${PACED_STREAMS} streams at ${1000 / PERIOD_MS}/s`;
  return [
    ...compare(`${what}, delay p50`, 'ms', runs, delayAt(0.5)),
    ...compare(`${what}, delay p99`, 'ms', runs, delayAt(0.99)),
    ...compare(`${what}, CPU per event`, 'µs', runs, ({ cpuUs }) => cpuUs),
  ];
}

/** One run of each server per round, after a round that is thrown away: the code gets hot, sessions and connections made. */
async function runInTurn(
  client: Child,
  senders: Senders,
  streams: number,
  plan: Plan,
  rounds: number,
): Promise<Readonly<Record<Mode, readonly Run[]>>> {
  const runs: Record<Mode, Run[]> = { each: [], tick: [], ours: [] };
  for (let round = -1; round < rounds; round += 1) {
    for (const mode of MODES) {
      const run = await runOnce(client, senders[mode], streams, plan);
      if (round >= 0) runs[mode].push(run);
    }
  }
  return runs;
}

async function runOnce(
  client: Child,
  { server, url }: Sender,
  streams: number,
  plan: Plan,
): Promise<Run> {
  const before = await server.call('cpuUs', null, z.number());
  const result = await client.call('run', { url, streams, plan }, runResultSchema);
  const after = await server.call('cpuUs', null, z.number());
  return { ...result, cpuUs: (after - before) / (plan.count * streams) };
}

function eventsPerSecond({ events, elapsedMs }: Run): number {
  return (events / elapsedMs) * 1000;
}

function delayAt(share: number): (run: Run) => number {
  return ({ delaysMs }) => percentile(delaysMs, share);
}

function compare(
  what: string,
  unit: Comparison['unit'],
  runs: Readonly<Record<Mode, readonly Run[]>>,
  figure: (run: Run) => number,
): Comparison[] {
  return BASES.map(({ mode, name }) => ({
    what,
    unit,
    base: { name, samples: runs[mode].map(figure) },
    ours: runs.ours.map(figure),
  }));
}
