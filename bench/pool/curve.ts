import { makeBenchPool } from './bench-pool.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { sleep } from '../../src/time/timers.ts';
import type { Comparison } from '../comparison.ts';

const RESIDENTS = [100, 1_000, 10_000] as const;
const PROCESSES = 32;
/** A session is left alone for its first second; what is measured must not wait for that. */
const GRACE_MS = 1_100;

interface Samples {
  readonly find: number[];
  readonly evict: number[];
  readonly admit: number[];
}

/**
 * What finding a session, taking another one's process for it and taking another one's place in memory for it cost, by the
 * number of sessions in memory. The base of each row is the smallest number: flat is a ratio of 1.
 */
export async function measureCurve(quick: boolean): Promise<Comparison[]> {
  const samples = RESIDENTS.map((): Samples => ({ find: [], evict: [], admit: [] }));
  const pools: { pool: BenchPool; residents: number; into: Samples }[] = [];
  for (const [index, residents] of RESIDENTS.entries()) {
    const into = samples[index];
    if (into !== undefined) pools.push({ pool: await fill(residents), residents, into });
  }
  try {
    for (let round = 0; round < (quick ? 2 : 5); round += 1) {
      // The pools take turns, so that what disturbs one disturbs the others.
      for (const { pool, residents, into } of pools)
        await measureOnce(pool, residents, round, into);
    }
  } finally {
    for (const { pool } of pools) await pool.close();
  }
  return (['find', 'evict', 'admit'] as const).flatMap((operation) =>
    RESIDENTS.map((residents, index): Comparison => ({
      what: `${operation}, ${residents.toLocaleString('en')} in memory`,
      unit: 'µs',
      base: { name: `${RESIDENTS[0]} in memory`, samples: samples[0]?.[operation] ?? [] },
      ours: samples[index]?.[operation] ?? [],
    })),
  );
}

type BenchPool = ReturnType<typeof makeBenchPool>['pool'];

/** A pool whose memory is full of sessions that have each run a turn, 32 of them with a process. */
async function fill(residents: number): Promise<BenchPool> {
  const { pool } = makeBenchPool({ maxSessions: residents, maxProcesses: PROCESSES });
  for (let index = 0; index < residents; index += 1) await runTurn(pool, `session-${index}`);
  await sleep(GRACE_MS, undefined, { keepAlive: true });
  return pool;
}

async function measureOnce(
  pool: BenchPool,
  residents: number,
  round: number,
  into: Samples,
): Promise<void> {
  const newest = `session-${residents - 1}`;
  for (let call = 0; call < 1_000; call += 1)
    into.find.push(await timed(() => pool.getSessionClient(newest)));
  // Not those that leave memory first: these are in memory all along, and have no process.
  for (let call = 0; call < PROCESSES / 2; call += 1) {
    const name = `session-${Math.floor(residents / 2) + (((round * PROCESSES) / 2 + call) % (residents / 4))}`;
    into.evict.push(await timed(() => pool.getSessionClient(name)));
    await runTurn(pool, name);
  }
  for (let call = 0; call < PROCESSES / 2; call += 1) {
    const name = `late-${round}-${call}`;
    into.admit.push(await timed(() => pool.getSessionClient(name)));
    await runTurn(pool, name);
  }
}

async function runTurn(pool: BenchPool, name: string): Promise<void> {
  const client = await pool.getSessionClient(name);
  const stream = await client.prompt([{ type: 'text', text: 'hello' }]);
  await stream.ended;
}

/** In microseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAtMs = monotonicMs();
  await work();
  return (monotonicMs() - startedAtMs) * 1000;
}
