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

interface Flood {
  readonly what: string;
  readonly streams: number;
  /** Deltas of each stream. */
  readonly count: number;
  /** Deltas that come at once. */
  readonly burst: number;
}

/** A pipe read of agents that stream faster than any model. */
const SOME = 16;
/** A read when the server is what everybody waits for: 64 KiB, at the 270 bytes that a delta has as recorded. */
const FULL = 240;

/** As fast as it goes. Streams are long, so that what a turn costs once hardly counts; the last ones are not, so that it does. */
const FLOODS: readonly Flood[] = [
  { what: 'flood, 1 stream', streams: 1, count: 320_000, burst: SOME },
  { what: 'flood, 50 streams', streams: 50, count: 6_400, burst: SOME },
  { what: 'flood, 200 streams', streams: 200, count: 6_400, burst: SOME },
  { what: 'flood, 200 streams, full pipes', streams: 200, count: 6_400, burst: FULL },
  { what: 'flood, 200 short turns', streams: 200, count: 320, burst: SOME },
];
/** A smoke run has so many times fewer deltas. */
const QUICK_SHARE = 10;
/** 50 deltas a second, a fast model. */
const PERIOD_MS = 20;
const PACED_SECONDS = 4;
const PACED_STREAMS = 200;
/** Longer than it takes to open all streams, shorter than a model takes to its first token. */
const LEAD_MS = 500;

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
    for (const each of FLOODS) comparisons.push(...(await flood(client, senders, each, quick)));
    comparisons.push(...(await paced(client, senders, quick)));
    return comparisons;
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

async function flood(
  client: Child,
  senders: Senders,
  { what, streams, count, burst }: Flood,
  quick: boolean,
): Promise<Comparison[]> {
  const plan: Plan = {
    count: quick ? count / QUICK_SHARE : count,
    burst,
    periodMs: 0,
    leadMs: 0,
    stamped: false,
  };
  const runs = await runInTurn(client, senders, streams, plan, quick ? 2 : 5);
  return [
    ...compare(what, 'events/s', runs, eventsPerSecond),
    ...compare(`${what}, CPU per event`, 'µs', runs, ({ cpuUs }) => cpuUs),
  ];
}

async function paced(client: Child, senders: Senders, quick: boolean): Promise<Comparison[]> {
  const seconds = quick ? 1 : PACED_SECONDS;
  const count = (seconds * 1000) / PERIOD_MS;
  const plan: Plan = { count, burst: 1, periodMs: PERIOD_MS, leadMs: LEAD_MS, stamped: true };
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
