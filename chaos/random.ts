/** Spreads the bits of a number, so that neighbouring seeds give unlike sequences (the finaliser of MurmurHash3). */
function mix(value: number): number {
  let bits = value | 0;
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

/**
 * A sequence of random decisions that the seed alone determines. Each actor has a sequence of its own ({@link Random.fork}),
 * so that how fast one of them gets on changes nothing for the others. Not for secrets.
 */
export class Random {
  readonly #seed: number;
  #drawn = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** A sequence of its own for the actor of that name. */
  fork(name: string): Random {
    let hash = this.#seed;
    for (const character of name) hash = mix(hash ^ (character.codePointAt(0) ?? 0)) + 0x9e3779b9;
    return new Random(mix(hash));
  }

  /** From 0 to below 1. */
  next(): number {
    this.#drawn += 1;
    return mix(this.#seed + Math.imul(this.#drawn, 0x9e3779b9)) / 2 ** 32;
  }

  /** A whole number, both ends included. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of them; undefined when there is none. Draws either way, so that the rest of the sequence stays. */
  pick<T>(choices: readonly T[]): T | undefined {
    const at = this.int(0, Math.max(0, choices.length - 1));
    return choices[at];
  }

  /** One of them, as often as its weight says. */
  weighted<T extends { readonly weight: number }>(choices: readonly T[]): T {
    let left = this.next() * choices.reduce((sum, { weight }) => sum + weight, 0);
    for (const choice of choices) {
      left -= choice.weight;
      if (left < 0) return choice;
    }
    const last = choices.at(-1);
    if (last === undefined) throw new Error('There is nothing to choose from.');
    return last;
  }
}
