import type { Calm } from '../calm.ts';
import type { Comparison } from '../comparison.ts';
import type { Timing } from './prompts.ts';

/** One way to do the same thing. `turn` measures once; what it cleans up afterwards is outside of the measure. */
export interface Variant {
  readonly name: string;
  turn(): Promise<Timing>;
}

export type Timings = ReadonlyMap<string, readonly Timing[]>;

/** How many rounds there are. */
export interface Rounds {
  readonly count: number;
  /** Rounds before them that do not count. */
  readonly warmUps: number;
  /** The machine is looked at before every so many rounds. */
  readonly calmEvery: number;
}

/**
 * Runs every variant once per round, one at a time. Each round begins with another one, so that none always comes first,
 * or after the same one.
 */
export async function runRounds(
  variants: readonly Variant[],
  { count, warmUps, calmEvery }: Rounds,
  calm: Calm,
): Promise<Timings> {
  const timings = new Map<string, Timing[]>(variants.map(({ name }) => [name, []]));
  for (let round = -warmUps; round < count; round += 1) {
    if (round % calmEvery === 0) await calm.wait();
    const first = (round + warmUps) % variants.length;
    for (const variant of [...variants.slice(first), ...variants.slice(0, first)]) {
      const timing = await variant.turn();
      if (round >= 0) timings.get(variant.name)?.push(timing);
    }
  }
  return timings;
}

/** `ours` beside each other variant: time to the first text, then that of the whole turn. */
export function compare(what: string, timings: Timings, ours: string): Comparison[] {
  const own = timings.get(ours) ?? [];
  return (['firstTextMs', 'totalMs'] as const).flatMap((part) =>
    [...timings]
      .filter(([name]) => name !== ours)
      .map(([name, samples]): Comparison => ({
        what: `${what}, ${part === 'firstTextMs' ? 'first text' : 'whole turn'}`,
        unit: 'ms',
        base: { name, samples: samples.map((timing) => timing[part]) },
        ours: own.map((timing) => timing[part]),
      })),
  );
}
