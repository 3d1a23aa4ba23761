import { z } from 'zod';

import { readMemory } from './readings.ts';
import { shareOf } from './sizing.ts';
import { StalledReader } from './stalled-reader.ts';
import { progress, range, withServer, type Stand } from './stand.ts';
import type { Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';

const MIB = 2 ** 20;
const PREFIX = 'stalled-';
const READERS = 20;
const QUICK_READERS = 4;

/** `server.readerMaxBytes`, as it is by default. */
const BOUND = 8 * MIB;
/** A turn brings each reader this text twice, in pieces and in the record that completes them: a sixteenth of the bound. */
const ANSWER = { pieces: 64, charsPerPiece: 4_096 };
/** Nothing but the bound in bytes cuts a reader here. */
const LIMITS = {
  'server-reader-max-bytes': String(BOUND),
  'server-reader-max-items': '1000000',
  'server-reader-max-lag-ms': '600000',
};
/** How full the queues are when their readers take something. */
const NEARLY_FULL = 0.8 * BOUND;
/**
 * What they take then: as much as makes the kernel ask the server for more, so that it takes the whole queue of a reader to
 * hand it out, and far less than was in there.
 */
const SIP = 2 * MIB;
/** What the kernel holds for a reader comes first; five times both bounds are plenty. */
const MAX_ROUNDS = 160;

/** The server under test, and how its memory is read. */
interface Scene {
  readonly server: Child;
  readonly url: string;
  readonly readers: number;
}

/**
 * What the server holds for a reader that has stopped to read. Each has a session of its own: readers of one session share
 * what waits for them.
 */
export async function measureStalledReaders(stand: Stand): Promise<Comparison[]> {
  const readers = stand.quick ? QUICK_READERS : READERS;
  const start = { flags: LIMITS, agents: 'scripted', answer: ANSWER } as const;
  return withServer(stand, 'stalled', start, async ({ server, url }) => {
    const scene: Scene = { server, url, readers };
    await promptEach(scene);
    return [...(await stallAtTheEnd(scene)), await stallInThePast(scene)];
  });
}

/** Readers of what happens. */
async function stallAtTheEnd(scene: Scene): Promise<Comparison[]> {
  progress(`${scene.readers} readers that stall`);
  return withReaders(scene, async (stalled, held) => {
    const most = await fillUntilCut(scene, stalled, held);
    // Their sessions are alike, but not in step to the byte.
    for (let round = 0; (await cutReaders(scene)) < scene.readers; round += 1) {
      if (round === MAX_ROUNDS) throw new Error('Not all readers were cut.');
      await promptEach(scene);
    }
    const cut = await held();
    await Promise.all(stalled.map((reader) => reader.readToEnd()));
    return [
      beside('a stalled reader, at most', most),
      beside('a stalled reader, cut', cut),
      beside('a stalled reader, gone', await held()),
    ];
  });
}

/** Fills a queue, has it taken, and fills it again, until the first reader is cut; the most that one held on the way. */
async function fillUntilCut(
  scene: Scene,
  stalled: readonly StalledReader[],
  held: () => Promise<number>,
): Promise<number> {
  let most = 0;
  let taken = false;
  for (let round = 0; (await cutReaders(scene)) === 0; round += 1) {
    if (round === MAX_ROUNDS) throw new Error('No reader was cut.');
    const now = await held();
    most = Math.max(most, now);
    if (!taken && now > NEARLY_FULL) {
      taken = true;
      await Promise.all(stalled.map((reader) => reader.take(SIP)));
    }
    await promptEach(scene);
  }
  if (!taken) throw new Error('Readers were cut before their queues were nearly full.');
  return most;
}

/** Readers of what has happened: their sessions have more than the bound behind them. */
async function stallInThePast(scene: Scene): Promise<Comparison> {
  return withReaders(scene, async (stalled, held) => {
    // So that the server has come to where it waits for them.
    await Promise.all(stalled.map((reader) => reader.take(1)));
    return beside('a reader stalled in the past', await held());
  });
}

/** Connects a reader to each session, which take nothing yet; `held` is what the server holds for each of them since then. */
async function withReaders<T>(
  scene: Scene,
  use: (stalled: readonly StalledReader[], held: () => Promise<number>) => Promise<T>,
): Promise<T> {
  const before = await heldBytes(scene);
  const stalled = await openReaders(scene);
  try {
    return await use(stalled, async () => shareOf(before, await heldBytes(scene), scene.readers));
  } finally {
    // The server's end would wait for them.
    for (const reader of stalled) reader.leave();
  }
}

function openReaders({ url, readers }: Scene): Promise<StalledReader[]> {
  return Promise.all(range(readers).map((index) => StalledReader.open(url, `${PREFIX}${index}`)));
}

/** A turn on each session. */
async function promptEach({ server, readers }: Scene): Promise<void> {
  await server.call('prompt', { prefix: PREFIX, from: 0, to: readers }, z.unknown());
}

async function heldBytes({ server }: Scene): Promise<number> {
  return (await readMemory(server)).usedBytes;
}

/** How many readers the server has cut so far. */
async function cutReaders({ url }: Scene): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^roundhouse_readers_cut_total (\d+)/m.exec(text)?.[1] ?? 0);
}

function beside(what: string, bytes: number): Comparison {
  const base = { name: 'the bound', samples: [BOUND / MIB] };
  return { what, unit: 'MiB', base, ours: [bytes / MIB] };
}
