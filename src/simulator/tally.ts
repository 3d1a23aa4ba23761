/**
 * Counts how often a key came, for at most `maxKeys` keys; the one that came longest ago is forgotten first, so that a
 * simulator that runs for weeks stays small.
 */
export class Tally {
  readonly #counts = new Map<string, number>();
  readonly #maxKeys: number;

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys;
  }

  /** Counts one more and returns the count: 1 the first time. */
  next(key: string): number {
    const count = (this.#counts.get(key) ?? 0) + 1;
    this.#counts.delete(key);
    this.#counts.set(key, count);
    if (this.#counts.size > this.#maxKeys) {
      const oldest = this.#counts.keys().next();
      if (oldest.done !== true) this.#counts.delete(oldest.value);
    }
    return count;
  }

  /** Forgets every key. */
  clear(): void {
    this.#counts.clear();
  }
}
