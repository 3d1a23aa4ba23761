import { readFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Memory that processes may use on this Linux machine, in bytes: the machine's, or the smallest limit of the cgroups
 * (version 1 or 2) that this process is in, whichever is smaller.
 */
export async function readLinuxMemoryLimit(root = '/'): Promise<number> {
  const limits = [await machineMemory(root)];
  const membership = await readIfThere(join(root, 'proc/self/cgroup'));
  for (const line of membership?.split('\n') ?? []) {
    // `hierarchy:controllers:path`; version 2 has neither number nor controllers.
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (controllers === '') {
      limits.push(await smallestUpwards(join(root, 'sys/fs/cgroup'), path, 'memory.max'));
    } else if (controllers?.split(',').includes('memory') === true) {
      const mount = join(root, 'sys/fs/cgroup/memory');
      limits.push(await smallestUpwards(mount, path, 'memory.limit_in_bytes'));
    }
  }
  return Math.min(...limits);
}

/**
 * The smallest limit from `path` up to the mount: a parent's limit binds its children. In a container the path may name
 * folders that only the machine outside sees; those are skipped.
 */
async function smallestUpwards(mount: string, path: string, file: string): Promise<number> {
  let smallest = Infinity;
  for (let folder = join('/', path); ; folder = dirname(folder)) {
    const text = await readIfThere(join(mount, folder, file));
    // `max` (version 2) is no limit, and neither is the huge number that version 1 has for it.
    if (text !== undefined && /^\d+\s*$/.test(text)) smallest = Math.min(smallest, Number(text));
    if (folder === '/') return smallest;
  }
}

async function machineMemory(root: string): Promise<number> {
  const text = await readIfThere(join(root, 'proc/meminfo'));
  const total = /^MemTotal:\s+(\d+) kB$/m.exec(text ?? '')?.[1];
  return total === undefined ? totalmem() : Number(total) * 1024;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // Not every kernel has every file.
  }
}
