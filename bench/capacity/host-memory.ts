import { Agent, request, type ClientRequest } from 'node:http';
import { z } from 'zod';

import { readMemory, readPopulation, readResting } from './readings.ts';
import { shareOf } from './sizing.ts';
import { progress, range, withServer, type Stand } from './stand.ts';
import type { Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';

const PROCESSES = 32;
const MIB = 2 ** 20;
const KIB = 2 ** 10;
const PREFIX = 'known-';

interface Size {
  readonly known: number;
  /** `pool.maxSessions`. */
  readonly resident: number;
  readonly readers: number;
  /** Sessions between two lines of progress. */
  readonly step: number;
}

const FULL: Size = { known: 10_000, resident: 1_000, readers: 1_000, step: 2_500 };
const QUICK: Size = { known: 200, resident: 100, readers: 20, step: 200 };

/**
 * What the server itself holds. Its agents are scripted, so that nothing is measured but the server: pool, log, SQLite on
 * disk, HTTP. Every session has had a turn, and all take turns on the processes.
 */
export async function measureHost(stand: Stand): Promise<Comparison[]> {
  const size = stand.quick ? QUICK : FULL;
  return [...(await withReaders(stand, size)), ...(await allResident(stand, size))];
}

/** As many sessions in memory as by default; then readers on them. */
async function withReaders(stand: Stand, size: Size): Promise<Comparison[]> {
  const { known, resident, readers } = size;
  return withServer(stand, 'host', scripted(resident), async ({ server, url }) => {
    const empty = await readMemory(server);
    const full = await promptAll(server, size);
    const resting = await readResting(server);
    const population = await readPopulation(server);
    if (population.residentSessions !== resident || population.processes !== PROCESSES) {
      throw new Error(`Another population than expected: ${JSON.stringify(population)}`);
    }
    progress(`${readers} readers`);
    const streams = await Promise.all(
      range(readers).map((reader) => follow(url, `${PREFIX}${known - 1 - (reader % resident)}`)),
    );
    const read = await readResting(server);
    for (const stream of streams) stream.destroy();
    return [
      megabytes('server, no session', empty.rssBytes),
      megabytes(`server, ${known} known, ${resident} in memory, after work`, full.rssBytes),
      megabytes('the same, at rest', resting.rssBytes),
      megabytes(`the same with ${readers} readers, at rest`, read.rssBytes),
      kilobytes('a reader on a stream', shareOf(resting.usedBytes, read.usedBytes, readers)),
    ];
  });
}

/** All of them in memory, which is the most that `pool.maxSessions` allows. */
async function allResident(stand: Stand, size: Size): Promise<Comparison[]> {
  const { known } = size;
  return withServer(stand, 'host-all', scripted(known), async ({ server }) => {
    const empty = await readMemory(server);
    const full = await promptAll(server, size);
    const resting = await readResting(server);
    return [
      megabytes(`server, ${known} known, all in memory, after work`, full.rssBytes),
      megabytes('the same, at rest', resting.rssBytes),
      kilobytes('a session in memory', shareOf(empty.usedBytes, full.usedBytes, known)),
    ];
  });
}

function scripted(maxSessions: number) {
  const flags = { 'pool-max-sessions': String(maxSessions), 'max-processes': String(PROCESSES) };
  return { flags, agents: 'scripted' } as const;
}

async function promptAll(server: Child, { known, step }: Size) {
  for (let from = 0; from < known; from += step) {
    progress(`sessions ${from} to ${Math.min(known, from + step)}`);
    const argument = { prefix: PREFIX, from, to: Math.min(known, from + step) };
    await server.call('prompt', argument, z.unknown());
  }
  return readMemory(server);
}

const agent = new Agent({ maxSockets: Infinity });

/** A reader of a session's events; resolves when the first has arrived. */
function follow(url: string, name: string): Promise<ClientRequest> {
  return new Promise((resolve, reject) => {
    const headers = { accept: 'text/event-stream' };
    const sent = request(`${url}/sessions/${name}/events`, { agent, headers }, (response) => {
      response.once('data', () => resolve(sent));
      // Read on, as a reader does; its end is ours.
      response.on('data', () => {});
      response.once('error', () => {});
      if (response.statusCode !== 200) reject(new Error(`Status ${response.statusCode}.`));
    });
    sent.once('error', reject);
    sent.end();
  });
}

function megabytes(what: string, bytes: number): Comparison {
  return { what, unit: 'MiB', ours: [bytes / MIB] };
}

function kilobytes(what: string, bytes: number): Comparison {
  return { what, unit: 'KiB', ours: [bytes / KIB] };
}
