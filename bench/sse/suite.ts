import { measurePaced } from './paced.ts';
import type { Plan } from './plan.ts';
import { compareRuns, runInTurn, type Run, type Sender } from './runs.ts';
import { CLIENT, startBareSenders, startSender, type StartProcess } from './start-senders.ts';
import { startChild, type Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { serveSuite, type SuiteOptions } from '../suite.ts';

const OURS = 'server';

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

serveSuite(runSse);

/** Events per second and CPU per event of our SSE path, beside the least that `node:http` can do with the same events. */
async function runSse({ quick, environment }: SuiteOptions): Promise<Comparison[]> {
  const children: Child[] = [];
  const start: StartProcess = (file) => {
    const child = startChild(file, { environment });
    children.push(child);
    return child;
  };
  try {
    const client = start(CLIENT);
    const senders = [...(await startBareSenders(start)), await startSender(start, 'ours', OURS)];
    const comparisons: Comparison[] = [];
    for (const each of FLOODS) comparisons.push(...(await flood(client, senders, each, quick)));
    comparisons.push(...(await measurePaced(client, senders, OURS, quick)));
    return comparisons;
  } finally {
    await Promise.all(children.map((child) => child.end()));
  }
}

async function flood(
  client: Child,
  senders: readonly Sender[],
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
  const runs = await runInTurn(client, senders, { streams, plan, rounds: quick ? 2 : 5 });
  return [
    ...compareRuns(what, 'events/s', { runs, ours: OURS }, eventsPerSecond),
    ...compareRuns(`${what}, CPU per event`, 'µs', { runs, ours: OURS }, ({ cpuUs }) => cpuUs),
  ];
}

function eventsPerSecond({ events, elapsedMs }: Run): number {
  return (events / elapsedMs) * 1000;
}
