import { z } from 'zod';

import { readMemory } from './readings.ts';
import { errorPercent, FORMULA, predictedBytes, processesThatFit, type Room } from './sizing.ts';
import { progress, range, withServer, type Stand } from './stand.ts';
import type { Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { HttpClient } from '../latency/http-client.ts';
import { sumOf, type ProcessMemory } from '../process-tree.ts';
import { median } from '../stats.ts';
import { readLinuxMemoryAvailable } from '../../src/host/memory-limit.ts';
import { poolOptionsSchema } from '../../src/pool/options.ts';
import { sleep } from '../../src/time/timers.ts';

/** Turns after which the processes are weighed. */
const STEPS = [0, 1, 5, 20, 50, 100];
/** Some of them at once: what they share (the executable, above all) then counts for each by its share. */
const WEIGHED = 4;
/** The turns that a process has had in the formula, and how many processes it is checked with at most. */
const SIZING_TURNS = 20;
const FILL = 16;
/** Machines in the printed table, in GiB. */
const MACHINES = [4, 8, 16, 32, 64];
/** A process that has just answered gives memory back for a while. */
const REST_MS = 1_000;
const MIB = 2 ** 20;
const GIB = 2 ** 30;

const agentsSchema = z.array(z.object({ ownBytes: z.number(), shareBytes: z.number() }));

/** What a process holds as its conversation grows; then how many fit, as a formula, and whether that is true. */
export async function measureProcesses(stand: Stand): Promise<Comparison[]> {
  const availableBytes = await readLinuxMemoryAvailable();
  const byTurns = await weighByTurns(stand);
  const turns = stand.quick ? 1 : SIZING_TURNS;
  const weighed = byTurns.get(turns) ?? [];
  const { ownBytes, shareBytes } = sumOf(weighed);
  const { minFreeBytes } = poolOptionsSchema.parse({});
  const free = {
    availableBytes,
    reserveBytes: minFreeBytes,
    sharedBytes: shareBytes - ownBytes,
  };
  return [
    ...[...byTurns].map(([after, memories]): Comparison => ({
      what: `a process after ${after} turns`,
      unit: 'MiB',
      base: { name: 'of that its own', samples: memories.map((one) => one.ownBytes / MIB) },
      ours: memories.map((one) => one.shareBytes / MIB),
    })),
    await checkFormula(stand, turns, median(weighed.map((one) => one.ownBytes)), free),
  ];
}

async function weighByTurns(stand: Stand): Promise<Map<number, ProcessMemory[]>> {
  const flags = { 'max-processes': String(WEIGHED) };
  return withServer(stand, 'turns', { flags }, async ({ server, url }) => {
    const names = range(WEIGHED).map((index) => `weighed-${index}`);
    await Promise.all(names.map((name) => server.call('connect', name, z.unknown())));
    const weights = new Map<number, ProcessMemory[]>();
    let done = 0;
    for (const turns of stand.quick ? STEPS.slice(0, 2) : STEPS) {
      progress(`${WEIGHED} processes, ${turns} turns`);
      await converse(url, names, turns - done);
      done = turns;
      weights.set(turns, await weighAgents(server, WEIGHED));
    }
    return weights;
  });
}

/** Fills the machine with processes and holds what they take against what the formula says. */
async function checkFormula(
  stand: Stand,
  turns: number,
  bytesPerProcess: number,
  free: Omit<Room, 'hostBytes'>,
): Promise<Comparison> {
  const flags = { 'max-processes': String(FILL) };
  return withServer(stand, 'fill', { flags }, async ({ server, url }) => {
    const { rssBytes: hostBytes } = await readMemory(server);
    const room = { ...free, hostBytes };
    const fits = processesThatFit(room, bytesPerProcess);
    const count = Math.min(stand.quick ? 2 : FILL, fits);
    progress(`filling with ${count} processes of ${turns} turns`);
    const before = await readLinuxMemoryAvailable();
    const names = range(count).map((index) => `fill-${index}`);
    await converse(url, names, turns);
    const agents = await weighAgents(server, count);
    const taken = before - (await readLinuxMemoryAvailable());
    const measured = (await readMemory(server)).rssBytes + sumOf(agents).shareBytes;
    const predicted = predictedBytes(count, room, bytesPerProcess);

    console.log(`\n${FORMULA}`);
    console.log(
      `here, after ${turns} turns: floor((${mib(room.availableBytes)} - ${mib(room.reserveBytes)} - ${mib(hostBytes)} - ${mib(room.sharedBytes)}) / ${mib(bytesPerProcess)}) = ${fits}`,
    );
    for (const gib of MACHINES) {
      const holds = processesThatFit({ ...room, availableBytes: gib * GIB }, bytesPerProcess);
      console.log(`with ${gib} GiB available to it: ${holds} processes`);
    }
    const error = errorPercent(predicted, measured);
    console.log(
      `check: ${count} processes and their server, predicted ${mib(predicted)}, measured ${mib(measured)}, error ${error.toFixed(1)} %; the machine had ${mib(taken)} less available\n`,
    );
    const what = `server and ${count} processes, ${turns} turns`;
    const base = { name: 'the formula', samples: [predicted / MIB] };
    return { what, unit: 'MiB', base, ours: [measured / MIB] };
  });
}

/** So many turns on each session, two sessions at a time: the machine's cores are the limit. */
async function converse(url: string, names: readonly string[], turns: number): Promise<void> {
  const waiting = [...names];
  const worker = async (): Promise<void> => {
    const client = new HttpClient(url);
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      for (let turn = 0; turn < turns; turn += 1) await client.turn(name);
    }
    client.close();
  };
  await Promise.all([worker(), worker()]);
}

async function weighAgents(server: Child, expected: number): Promise<ProcessMemory[]> {
  await sleep(REST_MS, undefined, { keepAlive: true });
  const weights = await server.call('agents', null, agentsSchema);
  // One may have been taken for its idleness, on a machine that is much too busy.
  if (weights.length === expected) return weights;
  throw new Error(`${expected} processes were expected, got ${weights.length}.`);
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(0)} MiB`;
}
