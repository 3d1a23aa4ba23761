import { readFile } from 'node:fs/promises';
import { freemem, totalmem } from 'node:os';
import { dirname, join } from 'node:path';

/**
 * Memory that processes may use on this Linux machine, in bytes: the machine's, or the smallest limit of the cgroups
 * (version 1 or 2) that this process is in, whichever is smaller.
 */
export async function readLinuxMemoryLimit(root = '/'): Promise<number> {
  const machine = (await memoryInfo(root, 'MemTotal')) ?? totalmem();
  return Math.min(machine, ...(await cgroups(root)).map(({ limit }) => limit));
}

/**
 * Memory that is free for more processes, in bytes: what the machine calls available, or what is left under the limit of
 * the tightest cgroup that this process is in. Cached files count as free: the kernel gives them up first.
 */
export async function readLinuxMemoryAvailable(root = '/'): Promise<number> {
  const machine = (await memoryInfo(root, 'MemAvailable')) ?? freemem();
  return Math.min(machine, ...(await cgroups(root)).map(({ limit, used }) => limit - used));
}

interface CgroupMemory {
  /** Infinite when there is none. */
  readonly limit: number;
  readonly used: number;
}

/** Every cgroup with a word about memory that this process is in: a parent's limit binds its children. */
async function cgroups(root: string): Promise<CgroupMemory[]> {
  const found: CgroupMemory[] = [];
  const membership = await readIfThere(join(root, 'proc/self/cgroup'));
  for (const line of membership?.split('\n') ?? []) {
    // `hierarchy:controllers:path`; version 2 has neither number nor controllers.
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (controllers === '') {
      const files = { limit: 'memory.max', used: 'memory.current', cached: 'inactive_file' };
      found.push(...(await upwards(join(root, 'sys/fs/cgroup'), path, files)));
    } else if (controllers?.split(',').includes('memory') === true) {
      const files = {
        limit: 'memory.limit_in_bytes',
        used: 'memory.usage_in_bytes',
        cached: 'total_inactive_file',
      };
      found.push(...(await upwards(join(root, 'sys/fs/cgroup/memory'), path, files)));
    }
  }
  return found;
}

interface CgroupFiles {
  readonly limit: string;
  readonly used: string;
  /** The line of `memory.stat` that tells of cached files. */
  readonly cached: string;
}

/** From `path` up to the mount. In a container the path may name folders that only the machine outside sees; they are skipped. */
async function upwards(mount: string, path: string, files: CgroupFiles): Promise<CgroupMemory[]> {
  const found: CgroupMemory[] = [];
  for (let folder = join('/', path); ; folder = dirname(folder)) {
    const limit = numberIn(await readIfThere(join(mount, folder, files.limit)));
    if (limit !== undefined) {
      const used = numberIn(await readIfThere(join(mount, folder, files.used))) ?? 0;
      const stat = (await readIfThere(join(mount, folder, 'memory.stat'))) ?? '';
      const cached = Number(new RegExp(`^${files.cached} (\\d+)$`, 'm').exec(stat)?.[1] ?? 0);
      found.push({ limit, used: Math.max(0, used - cached) });
    }
    if (folder === '/') return found;
  }
}

/** `max` (version 2) is no limit, and neither is the huge number that version 1 has for it. */
function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

async function memoryInfo(root: string, name: string): Promise<number | undefined> {
  const text = await readIfThere(join(root, 'proc/meminfo'));
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text ?? '')?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined; // Not every kernel has every file.
  }
}
