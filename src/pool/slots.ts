import { FairQueue, type Waiting } from './fair-queue.ts';
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
  /** The share of a tenant, against 1 of the others, while several wait. Default 1 for all. */
  readonly weightOf?: (tenant: string) => number;
  /** Callers of one tenant that may wait. Default: as many as of all together. */
  readonly maxWaitersOf?: (tenant: string) => number | undefined;
}

/** Who takes a slot. */
export interface SlotRequest {
  /** Withdraws the wait. */
  readonly signal?: AbortSignal | undefined;
  /** Default `''`, which stands for the host itself. */
  readonly tenant?: string;
  /** Higher goes first among the waiters of the same tenant. Default 0. */
  readonly priority?: number;
}

/** The right to have one of something that is limited. */
export interface Slot {
  /** Gives it back. May be called twice. */
  release(): void;
}

interface Waiter extends Waiting {
  readonly grant: (slot: Slot) => void;
  readonly refuse: (error: unknown) => void;
}

/**
 * A limited number of slots and the bounded queue before them, fair between tenants ({@link FairQueue}). Each waiter is
 * given a slot, refused by its deadline, or withdrawn by its signal; none is forgotten. Nothing here is ever waited for
 * under a lock.
 */
export class Slots {
  readonly #parts: SlotsParts;
  readonly #waiters: FairQueue<Waiter>;
  #used = 0;
  #reclaiming = 0;
  #refusal: RoundhouseError | undefined;

  constructor(parts: SlotsParts) {
    this.#parts = parts;
    this.#waiters = new FairQueue(parts.weightOf);
  }

  get capacity(): number {
    return this.#parts.capacity;
  }

  get used(): number {
    return this.#used;
  }

  get waiting(): number {
    return this.#waiters.size;
  }

  /**
   * Takes a slot, waiting for one if need be. Rejects with `queue_full` at once when too many wait, with
   * `pool_at_capacity` after the longest wait, with the signal's reason, or with what {@link Slots.refuse} was told.
   */
  acquire(request: SlotRequest = {}): Promise<Slot> {
    const { signal } = request;
    if (this.#refusal !== undefined) return Promise.reject(this.#refusal);
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const slot = this.tryAcquire();
    return slot === undefined ? this.#wait(request) : Promise.resolve(slot);
  }

  /** Takes a slot if that makes nobody wait, and leaves at least `leaving` (default 0) of them free. */
  tryAcquire(leaving = 0): Slot | undefined {
    if (this.#refusal !== undefined || this.#waiters.size > 0) return undefined;
    return this.#used + leaving < this.#parts.capacity ? this.#take() : undefined;
  }

  /** Something may have become free to take: a waiter may be served by reclaiming it. */
  poke(): void {
    this.#serve();
  }

  /** Refuses everybody who waits, and all who come later. */
  refuse(error: RoundhouseError): void {
    this.#refusal ??= error;
    for (const waiter of this.#waiters.clear()) waiter.refuse(this.#refusal);
  }

  #wait({ signal, tenant = '', priority = 0 }: SlotRequest): Promise<Slot> {
    return new Promise((resolve, reject) => {
      const sinceMs = monotonicMs();
      let deadline: Timer | undefined = undefined;
      const leave = (): void => {
        deadline?.cancel();
        signal?.removeEventListener('abort', onAbort);
        this.#waiters.remove(waiter);
        this.#parts.onWaited?.((monotonicMs() - sinceMs) / 1000);
      };
      const waiter: Waiter = {
        tenant,
        priority,
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
      this.#waiters.add(waiter);
      this.#serve();
      if (!this.#waiters.has(waiter)) return;
      // Those for whom a slot is being freed already do not count against the queue.
      const excess = this.#excess(tenant);
      if (excess !== undefined) {
        waiter.refuse(this.#atCapacity('queue_full', excess));
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

  /** Why one more may not wait; undefined when it may. */
  #excess(tenant: string): string | undefined {
    const { maxWaiters, maxWaitersOf } = this.#parts;
    if (this.#waiters.size - this.#reclaiming > maxWaiters) {
      return `and ${maxWaiters} callers wait already`;
    }
    const most = maxWaitersOf?.(tenant) ?? maxWaiters;
    if (this.#waiters.sizeOf(tenant) - this.#reclaiming <= most) return undefined;
    return `and ${most} callers of this key wait already`;
  }

  #serve(): void {
    while (this.#used < this.#parts.capacity) {
      const waiter = this.#waiters.next();
      if (waiter === undefined) return;
      waiter.grant(this.#take());
    }
    while (this.#waiters.size > this.#reclaiming) {
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
