import { z } from 'zod';

import { monotonicMs } from '../../src/time/clock.ts';
import { sleep } from '../../src/time/timers.ts';

/** What a stream is to carry. It travels as the text of the prompt, to every server alike. */
export const planSchema = z.object({
  /** Deltas of a stream. */
  count: z.int().min(1),
  /** Deltas at once, as a read from an agent's pipe brings them; between two bursts the event loop goes round. */
  burst: z.int().min(1),
  /** From one burst to the next, in ms; 0: as fast as it goes. */
  periodMs: z.number().min(0),
  /** From the prompt to the first burst of a paced stream, in ms: what a model thinks, and all streams are open by then. */
  leadMs: z.number().min(0),
  /** Whether each delta carries the time at which it was made. */
  stamped: z.boolean(),
});

export type Plan = z.output<typeof planSchema>;

/** About as long as a token of English. */
const PIECE = ' steam';

/**
 * The deltas of a stream, burst by burst, made the same way for every server, so that what differs is how they are sent. A
 * burst is handed over whole: an iteration step for each delta would be a good part of what the least server costs.
 */
export async function* bursts(plan: Plan): AsyncGenerator<readonly string[], void, undefined> {
  // Streams that start together must not tick together, or a tick would serve them all.
  const startMs = monotonicMs() + plan.leadMs + Math.random() * plan.periodMs;
  for (let made = 0; made < plan.count; made += plan.burst) {
    await nextBurst(plan, startMs, made / plan.burst);
    const deltas: string[] = [];
    const size = Math.min(plan.burst, plan.count - made);
    for (let each = 0; each < size; each += 1) deltas.push(plan.stamped ? stamp() : PIECE);
    yield deltas;
  }
}

/** Milliseconds on the clock that all processes of a machine share (CLOCK_MONOTONIC on Linux). */
export function machineMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

function stamp(): string {
  return `@${machineMs().toFixed(3)}@`;
}

async function nextBurst(plan: Plan, startMs: number, burst: number): Promise<void> {
  if (plan.periodMs === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    return;
  }
  // By the clock and not from the last one, so that delays do not add up.
  const delayMs = startMs + burst * plan.periodMs - monotonicMs();
  if (delayMs > 0) await sleep(delayMs, undefined, { keepAlive: true });
}
