import { readdir, readFile } from 'node:fs/promises';

/** What processes hold, in bytes. */
export interface ProcessMemory {
  /** Pages that nobody else maps: what the machine has more of when they end. */
  readonly ownBytes: number;
  /**
   * Their proportional share (PSS): `ownBytes`, and an n-th of each page that n processes map. The sum over all processes
   * counts every page once.
   */
  readonly shareBytes: number;
}

/** The processes that `pid` started, by pid; empty when it has none, or is gone. Linux only. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const text = await readIfThere(`/proc/${pid}/task/${thread}/children`);
    children.push(...text.split(' ').filter(Boolean).map(Number));
  }
  return children;
}

/** What a process and everything below it hold; nothing when it is gone. */
export async function treeMemory(pid: number): Promise<ProcessMemory> {
  const below = await Promise.all((await childrenOf(pid)).map(treeMemory));
  return sumOf([readRollup(await readIfThere(`/proc/${pid}/smaps_rollup`)), ...below]);
}

/** All of them together. */
export function sumOf(memories: readonly ProcessMemory[]): ProcessMemory {
  let ownBytes = 0;
  let shareBytes = 0;
  for (const memory of memories) {
    ownBytes += memory.ownBytes;
    shareBytes += memory.shareBytes;
  }
  return { ownBytes, shareBytes };
}

/** What a `smaps_rollup` says; nothing when it is empty. */
export function readRollup(rollup: string): ProcessMemory {
  const bytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0) * 1024;
  return {
    ownBytes: bytes('Private_Clean') + bytes('Private_Dirty'),
    shareBytes: bytes('Pss'),
  };
}

/** A process may end at any moment. */
async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
