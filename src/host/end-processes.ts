import type { OwnedProcess, ProcessTable } from './process-table.ts';
import type { ProcessRecord } from '../contracts/host.ts';
import { monotonicMs } from '../time/clock.ts';
import { sleep } from '../time/timers.ts';

/**
 * SIGTERM comes first: a Claude Code process then ends its own tools, also those that shed our mark with their
 * environment, which SIGKILL would orphan. After the grace nothing is asked any more.
 */
const GRACE_MS = 500;
/** A process in an uninterruptible wait can't be ended by anyone; waiting longer would only hold others up. */
const LIMIT_MS = 10_000;
const POLL_MS = 20;
/** While a process executes a new program its environment reads as empty, so one quiet look proves nothing. */
const QUIET_LOOKS = 2;

/** What {@link endProcesses} came to. */
export interface EndedProcesses {
  /** How many processes were ended. */
  readonly killed: number;
  /** Those that were still there when the time was over. */
  readonly survivors: readonly OwnedProcess[];
}

/**
 * Ends every process that belongs to `owned`, and waits until none is left. The search is repeated all the time, because
 * processes may fork while they are being ended.
 */
export async function endProcesses(
  table: ProcessTable,
  owned: ReadonlyMap<string, ProcessRecord | undefined>,
): Promise<EndedProcesses> {
  const beganAt = monotonicMs();
  const seen = new Map<string, OwnedProcess>();
  let quietLooks = 0;
  for (;;) {
    const found = await table.findOwned(owned, [...seen.values()]);
    quietLooks = found.length === 0 ? quietLooks + 1 : 0;
    const passedMs = monotonicMs() - beganAt;
    if (quietLooks >= QUIET_LOOKS || passedMs > LIMIT_MS) {
      const alive = new Set(found.map(keyOf));
      return { killed: [...seen.keys()].filter((key) => !alive.has(key)).length, survivors: found };
    }
    for (const entry of found) {
      const key = keyOf(entry);
      if (passedMs > GRACE_MS) signal(entry.pid, 'SIGKILL');
      else if (!seen.has(key)) signal(entry.pid, 'SIGTERM');
      seen.set(key, entry);
    }
    await sleep(POLL_MS, undefined, { keepAlive: true });
  }
}

function keyOf({ pid, startedAt }: OwnedProcess): string {
  return `${pid} ${startedAt}`;
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended in the meantime, or became another user's: the next look tells.
  }
}
