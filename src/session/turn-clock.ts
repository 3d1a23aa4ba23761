import { monotonicMs } from '../time/clock.ts';
import { after, type Timer } from '../time/timers.ts';

export interface TurnClockParts {
  readonly turnMs: number;
  /** The turn has lasted too long. Not called after {@link TurnClock.stop}. */
  readonly onLimit: () => void;
}

/** The clock of a whole turn: from its delivery, the time left out in which nothing but its client was waited for. */
export class TurnClock {
  readonly #parts: TurnClockParts;
  #startedAtMs: number | undefined;
  /** It stands still since then; undefined while it does not. */
  #pausedSinceMs: number | undefined;
  #pausedMs = 0;
  #stopped = false;
  #timer: Timer | undefined;

  constructor(parts: TurnClockParts) {
    this.#parts = parts;
  }

  /** When a process got the turn first, on the monotonic clock. */
  get startedAtMs(): number | undefined {
    return this.#startedAtMs;
  }

  get paused(): boolean {
    return this.#pausedSinceMs !== undefined;
  }

  /** The limit has passed although its timer has not fired yet. */
  get overdue(): boolean {
    const remaining = this.#remainingMs();
    return remaining !== undefined && remaining <= 0;
  }

  /** A process has got the turn: the clock starts, or goes on. */
  run(): void {
    this.#startedAtMs ??= monotonicMs();
    this.#timer?.cancel();
    const remaining = this.#remainingMs();
    if (remaining === undefined) return;
    this.#timer = after(Math.max(1, remaining), this.#parts.onLimit);
  }

  pause(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#pausedSinceMs ??= monotonicMs();
  }

  /** Time counts again; the limit acts from {@link TurnClock.run} on. */
  resume(): void {
    if (this.#pausedSinceMs !== undefined) this.#pausedMs += monotonicMs() - this.#pausedSinceMs;
    this.#pausedSinceMs = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Undefined while the clock stands still. */
  #remainingMs(): number | undefined {
    if (this.#startedAtMs === undefined || this.paused || this.#stopped) return undefined;
    return this.#parts.turnMs - (monotonicMs() - this.#startedAtMs - this.#pausedMs);
  }
}
