import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { OwnedProcess, ProcessTable } from './process-table.ts';
import { PROCESS_MARK } from '../contracts/host.ts';
import { readLinuxMemoryAvailable, readLinuxMemoryLimit } from './memory-limit.ts';

/** Places of fields in `/proc/<pid>/stat`, counted from the first one after the command name (proc(5) calls it 3). */
const STATE = 0;
const START_TIME = 19;

/** The processes of a Linux machine, read from `/proc`. `root` is the file system's root, for tests. */
export function linuxProcessTable(root = '/'): ProcessTable {
  const proc = join(root, 'proc');
  let bootId: Promise<string> | undefined;

  const startedAt = async (pid: number): Promise<string | undefined> => {
    const stat = await readIfThere(join(proc, String(pid), 'stat'));
    const ticks = stat === undefined ? undefined : startTicks(stat);
    if (ticks === undefined) return undefined;
    // Ticks count from the boot, so the same pid and tick may come again after one.
    bootId ??= readIfThere(join(proc, 'sys/kernel/random/boot_id')).then((id) => id?.trim() ?? '');
    return `${await bootId}:${ticks}`;
  };

  return {
    startedAt,
    async findOwned(owned) {
      const names = await readdir(proc);
      const found = await Promise.all(
        names.map(async (name): Promise<OwnedProcess | undefined> => {
          const pid = Number(name);
          if (!Number.isInteger(pid) || pid === process.pid) return undefined;
          // Other users' processes are unreadable, and never ours.
          const environ = await readIfThere(join(proc, name, 'environ'));
          const clientId = environ === undefined ? undefined : markOf(environ);
          if (clientId === undefined || !owned.has(clientId)) return undefined;
          const started = await startedAt(pid);
          return started === undefined ? undefined : { pid, startedAt: started, clientId };
        }),
      );
      return found.filter((entry) => entry !== undefined);
    },
    async memoryBytes(pid) {
      const rollup = await readIfThere(join(proc, String(pid), 'smaps_rollup'));
      const share = rollup === undefined ? undefined : kilobytes(rollup, 'Pss');
      if (share !== undefined) return share;
      const status = await readIfThere(join(proc, String(pid), 'status'));
      return status === undefined ? undefined : kilobytes(status, 'VmRSS');
    },
    memoryAvailableBytes: () => readLinuxMemoryAvailable(root),
    memoryLimitBytes: () => readLinuxMemoryLimit(root),
  };
}

/**
 * The start time in clock ticks since the boot from the text of `/proc/<pid>/stat`; undefined for a dead process. The
 * command name stands in parentheses and may itself hold spaces and parentheses, so reading starts after the last one.
 */
export function startTicks(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[STATE] === 'Z' || fields[STATE] === 'X') return undefined;
  const ticks = fields[START_TIME];
  return ticks !== undefined && /^\d+$/.test(ticks) ? ticks : undefined;
}

/** The client id that an environment block (entries that end in NUL) carries as its mark. */
export function markOf(environ: string): string | undefined {
  const prefix = `${PROCESS_MARK}=`;
  return environ
    .split('\0')
    .find((entry) => entry.startsWith(prefix))
    ?.slice(prefix.length);
}

/** The bytes of a line like `Pss:   427 kB`. */
function kilobytes(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  return match?.[1] === undefined ? undefined : Number(match[1]) * 1024;
}

/** The file's text; undefined when it can't be read: a process may end, or be another user's, at any moment. */
async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
