import { randomUUID } from 'node:crypto';
import { z } from 'zod';

import { bareSetup, progress, range, withServer, type Stand } from './stand.ts';
import type { Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { oneTurn } from '../latency/bench.ts';
import { HttpClient } from '../latency/http-client.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { sleep } from '../../src/time/timers.ts';

/** New sessions at once. */
const BURSTS = [1, 2, 4, 8];
const SPARES = 4;
/** The pool looks after its stock every second: when nothing has changed for longer, it has what it wants. */
const STILL_MS = 1_500;
const LOOK_MS = 10;

const stockSchema = z.object({ ready: z.number(), starting: z.number(), hits: z.number() });

/** What bursts of one size came to; an element of `hitPercent` and `refillMs` is a burst. */
interface Bursts {
  readonly bareMs: number[];
  readonly oursMs: number[];
  readonly hitPercent: number[];
  readonly refillMs: number[];
}

/** So many new sessions at once, on a server with prepared processes, beside as many cold `query()` at once. */
export async function measureBursts(stand: Stand): Promise<Comparison[]> {
  const flags = { 'pool-spares-max': String(SPARES), 'max-processes': '16' };
  return withServer(stand, 'burst', { flags }, async ({ server, url }) => {
    const clients = range(Math.max(...BURSTS)).map(() => new HttpClient(url));
    // The first one teaches the server what to prepare.
    await converse(clients.slice(0, 1), ['teacher']);
    await server.call('remove', 'teacher', z.unknown());
    const comparisons: Comparison[] = [];
    for (const size of stand.quick ? BURSTS.slice(0, 2) : BURSTS) {
      progress(`bursts of ${size}`);
      const bursts = await runBursts(stand, server, clients.slice(0, size));
      comparisons.push(...toComparisons(size, bursts));
    }
    for (const client of clients) client.close();
    return comparisons;
  });
}

async function runBursts(
  stand: Stand,
  server: Child,
  clients: readonly HttpClient[],
): Promise<Bursts> {
  const bare = bareSetup(stand, `bare-burst-${clients.length}`);
  const bursts: Bursts = { bareMs: [], oursMs: [], hitPercent: [], refillMs: [] };
  for (let round = 0; round < (stand.quick ? 1 : 4); round += 1) {
    await stand.calm.wait();
    const cold = clients.map(() => oneTurn(bare, { sessionId: randomUUID() }, 'query'));
    bursts.bareMs.push(...(await Promise.all(cold)).map(({ firstTextMs }) => firstTextMs));

    await stockStill(server);
    const before = await stock(server);
    const names = clients.map(() => `burst-${randomUUID()}`);
    bursts.oursMs.push(...(await converse(clients, names)));
    bursts.refillMs.push(await stockStill(server));
    const { hits } = await stock(server);
    bursts.hitPercent.push(((hits - before.hits) / clients.length) * 100);
    for (const name of names) await server.call('remove', name, z.unknown());
  }
  return bursts;
}

/** A turn on each of the sessions, all at once; the times to their first texts. */
async function converse(
  clients: readonly HttpClient[],
  names: readonly string[],
): Promise<number[]> {
  const turns = clients.map((client, index) => client.turn(names[index] ?? ''));
  return (await Promise.all(turns)).map(({ firstTextMs }) => firstTextMs);
}

/** Waits until the stock has stopped to change and has a process. Returns how long after the call its last change was. */
async function stockStill(server: Child): Promise<number> {
  const startedAtMs = monotonicMs();
  let changedAtMs = startedAtMs;
  for (let last = await stock(server); ;) {
    await sleep(LOOK_MS, undefined, { keepAlive: true });
    const now = await stock(server);
    if (now.ready !== last.ready || now.starting !== last.starting) changedAtMs = monotonicMs();
    else if (now.ready > 0 && now.starting === 0 && monotonicMs() - changedAtMs > STILL_MS) {
      return changedAtMs - startedAtMs;
    }
    last = now;
  }
}

function stock(server: Child): Promise<z.output<typeof stockSchema>> {
  return server.call('spares', null, stockSchema);
}

function toComparisons(size: number, bursts: Bursts): Comparison[] {
  const what = `burst of ${size} new`;
  const base = { name: 'query(), as many at once', samples: bursts.bareMs };
  return [
    { what: `${what}, first text`, unit: 'ms', base, ours: bursts.oursMs },
    { what: `${what}, found a spare`, unit: '%', ours: bursts.hitPercent },
    { what: `${what}, stock as wanted again`, unit: 'ms', ours: bursts.refillMs },
  ];
}
