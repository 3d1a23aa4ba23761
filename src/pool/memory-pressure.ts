import { errorText } from '../errors.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { every } from '../time/timers.ts';

/** Memory can be gone within seconds, long before the next look of the housekeeping. */
const LOOK_EVERY_MS = 1_000;

export interface MemoryPressureParts {
  /** Memory that must stay free on the machine, in bytes; 0 switches the watch off. */
  readonly minFreeBytes: number;
  /** Free memory now, the cgroup's limit included. */
  readonly memoryAvailableBytes: () => Promise<number>;
  /** Whether any process is there to be ended. */
  readonly hasProcesses: () => boolean;
  /** Ends the process that is missed least. Resolves when it is gone; undefined when all are at work. */
  readonly shrink: () => Promise<void> | undefined;
  readonly telemetry: Telemetry;
}

/**
 * Ends processes that do nothing while the machine is short of memory, before its kernel ends any: one a look, because only
 * the next reading tells whether that was enough. Returns how to stop.
 */
export function watchMemory(parts: MemoryPressureParts): () => void {
  if (parts.minFreeBytes === 0) return () => {};
  const watch: Watch = { looking: false, short: false, unreadable: false };
  const timer = every(LOOK_EVERY_MS, () => {
    // The one before may still wait for the end of a process.
    if (watch.looking || !parts.hasProcesses()) return;
    watch.looking = true;
    void look(watch, parts).finally(() => {
      watch.looking = false;
    });
  });
  return () => timer.cancel();
}

interface Watch {
  looking: boolean;
  /** What the last reading said: the log has a line for each change. */
  short: boolean;
  unreadable: boolean;
}

async function look(watch: Watch, parts: MemoryPressureParts): Promise<void> {
  const { minFreeBytes, telemetry } = parts;
  try {
    const availableBytes = await parts.memoryAvailableBytes();
    const short = availableBytes < minFreeBytes;
    const facts = { availableBytes, minFreeBytes };
    if (short && !watch.short) telemetry.log.warn('pool_memory_short', facts);
    if (!short && watch.short) telemetry.log.info('pool_memory_enough', facts);
    watch.short = short;
    watch.unreadable = false;
    if (short) await parts.shrink();
  } catch (error) {
    if (!watch.unreadable)
      telemetry.log.warn('pool_memory_unreadable', { error: errorText(error) });
    watch.unreadable = true;
  }
}
