import { readdir, readFile } from 'node:fs/promises';

/** The processes that `pid` started, by pid; empty when it has none, or is gone. Linux only. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  for (const thread of await readdir(`/proc/${pid}/task`).catch(() => [])) {
    const text = await readIfThere(`/proc/${pid}/task/${thread}/children`);
    children.push(...text.split(' ').filter(Boolean).map(Number));
  }
  return children;
}

/**
 * What a process and everything below it hold, in bytes: their proportional shares (PSS), in which a page that n processes
 * map counts as an n-th for each. So the sum over all processes counts every page once.
 */
export async function treeBytes(pid: number): Promise<number> {
  const below = await Promise.all((await childrenOf(pid)).map(treeBytes));
  return (await shareBytes(pid)) + below.reduce((sum, bytes) => sum + bytes, 0);
}

/** The proportional share of one process in bytes; 0 when it is gone. */
async function shareBytes(pid: number): Promise<number> {
  return pssBytes(await readIfThere(`/proc/${pid}/smaps_rollup`));
}

/** The bytes of the line `Pss:` of a `smaps_rollup`; 0 without one. */
export function pssBytes(rollup: string): number {
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * 1024;
}

/** A process may end at any moment. */
async function readIfThere(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
