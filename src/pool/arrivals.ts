import { monotonicMs } from '../time/clock.ts';

/** A burst shows in the short window at once; the calm one keeps it from being forgotten between two of them. */
const BURST_WINDOW_MS = 6_000;
const CALM_WINDOW_MS = 60_000;
/** Arrivals that are remembered; more in a minute than this changes nothing any more. */
const MAX_REMEMBERED = 256;

/** How often something has been coming, lately. */
export class Arrivals {
  #times: number[] = [];
  #lastMs = Number.NEGATIVE_INFINITY;

  note(): void {
    this.#lastMs = monotonicMs();
    this.#times.push(this.#lastMs);
    if (this.#times.length > MAX_REMEMBERED) this.#times.shift();
  }

  /** Milliseconds since the last one; infinite before the first. */
  get sinceLastMs(): number {
    return monotonicMs() - this.#lastMs;
  }

  /** Arrivals per second: the higher of the rates in the last 6 s and in the last minute. */
  get ratePerSecond(): number {
    const now = monotonicMs();
    this.#times = this.#times.filter((time) => now - time <= CALM_WINDOW_MS);
    const burst = this.#times.filter((time) => now - time <= BURST_WINDOW_MS).length;
    return Math.max(burst / (BURST_WINDOW_MS / 1000), this.#times.length / (CALM_WINDOW_MS / 1000));
  }
}
