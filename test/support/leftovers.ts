import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

import { PROCESS_MARK } from '../../src/contracts/host.ts';

/** A living process that belongs to a folder of a test. */
export interface FoundProcess {
  readonly pid: number;
  readonly command: string;
  /** The mark of the agent that it is, or that started it. */
  readonly mark: string | undefined;
}

/**
 * Living processes that have to do with a folder, as the operating system tells it: it stands in their environment, their
 * command line, or is where they work. Nothing of ours is asked. In one tick, so that a count is a count of one moment.
 */
export function processesOf(folder: string): FoundProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const environment = text(`/proc/${name}/environ`);
    const command = text(`/proc/${name}/cmdline`).replaceAll('\0', ' ').trim();
    if (![environment, command, workingFolder(pid)].some((where) => where.includes(folder)))
      return [];
    const prefix = `${PROCESS_MARK}=`;
    const entry = environment.split('\0').find((each) => each.startsWith(prefix));
    return [{ pid, command, mark: entry?.slice(prefix.length) }];
  });
}

/** How many agents of a folder live: distinct marks. */
export function agentsAlive(folder: string): number {
  return new Set(processesOf(folder).flatMap(({ mark }) => mark ?? [])).size;
}

/** Empty for a process that has ended in the meantime, or is another user's. */
function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** Where a process works; empty when that can't be told. */
export function workingFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}
