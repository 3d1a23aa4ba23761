import { totalmem } from 'node:os';

import type { Host, ProcessRecord } from '../contracts/host.ts';
import type { LocalHostOptions } from './local-host.ts';
import type { OwnedProcess, ProcessTable } from './process-table.ts';
import { output } from './executables.ts';
import { LocalHost } from './local-host.ts';

/**
 * A host wherever there is a `ps` (macOS, the BSDs). Processes are ours by pid and start time, tools by descent from
 * them: a tool that outlives its agent and was never seen below it is not found, which only Linux can do better.
 */
export async function createPortableHost(
  options: Pick<LocalHostOptions, 'dataDir' | 'telemetry'>,
): Promise<Host> {
  return LocalHost.open({ ...options, table: psProcessTable(), spawnPrefix: [] });
}

/** A line of `ps`. */
interface PsEntry {
  readonly pid: number;
  readonly parent: number;
  readonly startedAt: string;
}

/** The processes of a machine as `ps` tells them; none where there is no `ps`. */
export function psProcessTable(): ProcessTable {
  return {
    async startedAt(pid) {
      const entries = await ps(['-p', String(pid)]);
      return entries.find((entry) => entry.pid === pid)?.startedAt;
    },
    async findOwned(owned, known) {
      return descendants(await ps(['-A']), roots(owned, known));
    },
    async memoryBytes(pid) {
      const kilobytes = await output('ps', ['-o', 'rss=', '-p', String(pid)]);
      return kilobytes === undefined ? undefined : Number(kilobytes.trim()) * 1024;
    },
    memoryAvailableBytes: () => Promise.resolve(process.availableMemory()),
    memoryLimitBytes: () => {
      const constrained = process.constrainedMemory();
      return Promise.resolve(constrained > 0 ? Math.min(constrained, totalmem()) : totalmem());
    },
  };
}

async function ps(selection: readonly string[]): Promise<PsEntry[]> {
  const columns = ['-o', 'pid=', '-o', 'ppid=', '-o', 'stat=', '-o', 'lstart='];
  return parsePs((await output('ps', [...selection, ...columns])) ?? '');
}

/** Lines of `pid ppid stat lstart`. Dead processes that wait to be reaped are left out. */
export function parsePs(text: string): PsEntry[] {
  const entries: PsEntry[] = [];
  for (const line of text.split('\n')) {
    const [, pid, parent, state, startedAt] =
      /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.+?)\s*$/.exec(line) ?? [];
    if (startedAt === undefined || state?.startsWith('Z') === true) continue;
    entries.push({ pid: Number(pid), parent: Number(parent), startedAt });
  }
  return entries;
}

function roots(
  owned: ReadonlyMap<string, ProcessRecord | undefined>,
  known: readonly OwnedProcess[],
): OwnedProcess[] {
  return [...known, ...[...owned.values()].filter((record) => record !== undefined)];
}

/** The roots that live (same pid and start time) and everything below them. This process is never one. */
export function descendants(
  entries: readonly PsEntry[],
  from: readonly OwnedProcess[],
): OwnedProcess[] {
  const byPid = new Map(entries.map((entry) => [entry.pid, entry]));
  const children = Map.groupBy(entries, (entry) => entry.parent);
  const found = new Map<number, OwnedProcess>();
  const pending = from.filter(({ pid, startedAt }) => byPid.get(pid)?.startedAt === startedAt);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { pid, startedAt, clientId } = next;
    if (pid === process.pid || found.has(pid)) continue;
    found.set(pid, { pid, startedAt, clientId });
    for (const child of children.get(pid) ?? []) pending.push({ ...child, clientId });
  }
  return [...found.values()];
}
