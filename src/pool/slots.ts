import { RoundhouseError } from '../errors.ts';
import { monotonicMs } from '../time/clock.ts';
import { after, type Timer } from '../time/timers.ts';

export interface SlotsParts {
  /** What is given out, for messages: `agent processes`, `resident sessions`. */
  readonly what: string;
  readonly capacity: number;
  /** Callers that may wait; one more is refused at once with `queue_full`. */
  readonly maxWaiters: number;
  /** Longest wait in milliseconds; past it `pool_at_capacity`. */
  readonly waitMs: number;
  /**
   * Begins to free a slot that somebody holds but does not need, and resolves when that is done, whatever came of it.
   * Undefined when there is nothing to take.
   */
  readonly reclaim?: () => Promise<void> | undefined;
  readonly onWaited?: (seconds: number) => void;
}

/** The right to have one of something that is limited. */
export interface Slot {
  /** Gives it back. May be called twice. */
  release(): void;
}

interface Waiter {
  readonly grant: (slot: Slot) => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * A limited number of slots and the bounded queue before them. Waiters are served in order; each is given a slot, refused
 * by its deadline, or withdrawn by its signal, and none is forgotten. Nothing here is ever waited for under a lock.
 */
export class Slots {
  readonly #parts: SlotsParts;
  readonly #waiters: Waiter[] = [];
  #used = 0;
  #reclaiming = 0;
  #refusal: RoundhouseError | undefined;

  constructor(parts: SlotsParts) {
    this.#parts = parts;
  }

  get capacity(): number {
    return this.#parts.capacity;
  }

  get used(): number {
    return this.#used;
  }

  get waiting(): number {
    return this.#waiters.length;
  }

  /**
   * Takes a slot, waiting for one if need be. Rejects with `queue_full` at once when too many wait, with
   * `pool_at_capacity` after the longest wait, with the signal's reason, or with what {@link Slots.refuse} was told.
   */
  acquire(signal?: AbortSignal): Promise<Slot> {
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    if (this.#used < this.#parts.capacity && this.#waiters.length === 0)
      return Promise.resolve(this.#take());
    return this.#wait(signal);
  }

  /** Something may have become free to take: a waiter may be served by reclaiming it. */
  poke(): void {
    this.#serve();
  }

  /** Refuses everybody who waits, and all who come later. */
  refuse(error: RoundhouseError): void {
    this.#refusal ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.refuse(this.#refusal);
  }

  #wait(signal: AbortSignal | undefined): Promise<Slot> {
    return new Promise((resolve, reject) => {
      const sinceMs = monotonicMs();
      let deadline: Timer | undefined = undefined;
      const leave = (): void => {
        deadline?.cancel();
        signal?.removeEventListener('abort', onAbort);
        const place = this.#waiters.indexOf(waiter);
        if (place >= 0) this.#waiters.splice(place, 1);
        this.#parts.onWaited?.((monotonicMs() - sinceMs) / 1000);
      };
      const waiter: Waiter = {
        grant: (slot) => {
          leave();
          resolve(slot);
        },
        refuse: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => waiter.refuse(signal?.reason);
      this.#waiters.push(waiter);
      this.#serve();
      if (!this.#waiters.includes(waiter)) return;
      // Those for whom a slot is being freed already do not count against the queue.
      if (this.#waiters.length - this.#reclaiming > this.#parts.maxWaiters) {
        waiter.refuse(
          this.#atCapacity('queue_full', `and ${this.#parts.maxWaiters} callers wait already`),
        );
        return;
      }
      signal?.addEventListener('abort', onAbort, { once: true });
      if (!Number.isFinite(this.#parts.waitMs)) return;
      deadline = after(
        this.#parts.waitMs,
        () =>
          waiter.refuse(
            this.#atCapacity(
              'pool_at_capacity',
              `and none became free within ${this.#parts.waitMs} ms`,
            ),
          ),
        { keepAlive: true },
      );
    });
  }

  #serve(): void {
    while (this.#used < this.#parts.capacity) {
      const waiter = this.#waiters[0];
      if (waiter === undefined) return;
      waiter.grant(this.#take());
    }
    while (this.#waiters.length > this.#reclaiming) {
      const reclaimed = this.#parts.reclaim?.();
      if (reclaimed === undefined) return;
      this.#reclaiming += 1;
      const done = (): void => {
        this.#reclaiming -= 1;
        this.#serve();
      };
      reclaimed.then(done, done);
    }
  }

  #take(): Slot {
    this.#used += 1;
    let held = true;
    return {
      release: () => {
        if (!held) return;
        held = false;
        this.#used -= 1;
        this.#serve();
      },
    };
  }

  #atCapacity(code: 'queue_full' | 'pool_at_capacity', detail: string): RoundhouseError {
    const { capacity, what } = this.#parts;
    return new RoundhouseError(
      code,
      `Session pool at capacity: all ${capacity} ${what} are in use, ${detail}. Retry later.`,
      {
        retryAfterSeconds: 1,
      },
    );
  }
}
