import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { every } from '../time/timers.ts';

/** How often it is looked whether something runs. */
const LOOK_EVERY_MS = 5_000;
/** Looks without work in a row, after which memory is given back: half a minute. */
const RESTING_LOOKS = 6;

export interface IdleMemoryParts {
  /** Whether anything is at work now. */
  readonly busy: () => boolean;
  readonly collect: () => void;
}

/**
 * Gives memory back to the machine when the server has come to rest, once each time. Under load V8 lets the part of its heap
 * for new objects grow to 128 MiB and keeps it for good, though it is empty (figures: docs/benchmarks.md, `capacity`); to
 * limit it instead would cost a fifth of the throughput. Returns how to stop.
 */
export function giveBackIdleMemory({ busy, collect }: IdleMemoryParts): () => void {
  let looksAtRest = RESTING_LOOKS;
  const timer = every(LOOK_EVERY_MS, () => {
    looksAtRest = busy() ? 0 : looksAtRest + 1;
    if (looksAtRest === RESTING_LOOKS) collect();
  });
  return () => timer.cancel();
}

/** A collection as V8 makes it when memory runs out: all that is unused goes back. Some 50 ms, in which nothing else runs. */
export function collectAll(): void {
  setFlagsFromString('--expose-gc');
  const gc: unknown = runInNewContext('gc');
  if (typeof gc !== 'function') return;
  Reflect.apply(gc, undefined, [{ type: 'major', execution: 'sync', flavor: 'last-resort' }]);
}
