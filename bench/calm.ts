import { cpus } from 'node:os';

import { monotonicMs } from '../src/time/clock.ts';
import { sleep } from '../src/time/timers.ts';

/** One look at the processors. Their clocks tick every 10 ms, so a shorter one would see nothing. */
const LOOK_MS = 150;
/** Share of all processors that must be idle. */
const CALM_SHARE = 0.85;

/** How often a round was begun on a calm machine, and how often the patience was over. */
export interface CalmReport {
  readonly calm: number;
  readonly busy: number;
}

/**
 * Waits, before a round begins, until nobody else uses the processors: so that few rounds are measured beside somebody
 * else's work. It decides only when a round begins; every round that has begun counts.
 */
export class Calm {
  #patienceMs: number;
  #calm = 0;
  #busy = 0;

  /** `patienceMs`: how long all waits together may take; 0 switches the looks off. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  get report(): CalmReport {
    return { calm: this.#calm, busy: this.#busy };
  }

  async wait(): Promise<void> {
    const startedAtMs = monotonicMs();
    try {
      while (this.#patienceMs > monotonicMs() - startedAtMs) {
        if ((await idleShare()) < CALM_SHARE) continue;
        this.#calm += 1;
        return;
      }
      this.#busy += 1;
    } finally {
      this.#patienceMs -= monotonicMs() - startedAtMs;
    }
  }
}

/** The idle share of all processors' time while we look. */
async function idleShare(): Promise<number> {
  const before = processorTimes();
  await sleep(LOOK_MS, undefined, { keepAlive: true });
  const now = processorTimes();
  const all = now.all - before.all;
  return all <= 0 ? 1 : (now.idle - before.idle) / all;
}

function processorTimes(): { readonly idle: number; readonly all: number } {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.user + times.nice + times.sys + times.idle + times.irq;
  }
  return { idle, all };
}
