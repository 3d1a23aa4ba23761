import { isFresh } from './eviction.ts';
import { Heap } from './heap.ts';
import { Slots, type Slot } from './slots.ts';
import type { RoundhouseError } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';

export interface PlacesParts {
  /** Sessions in memory at most. */
  readonly capacity: number;
  readonly maxWaiters: number;
  readonly waitMs: number;
  /** Takes a session out of memory; its conversation stays in the store. Resolves when its place is free. */
  readonly leave: (client: SessionClient) => Promise<void>;
}

/**
 * The places in memory, and who gives up its own when somebody needs one: the session that has been at rest for longest and
 * that nobody needs there now. To find it costs the same however many are in memory. Those that could leave stand in a
 * heap; one that is found to be needed is taken out, and {@link Places.offer} puts it back when that is over.
 */
export class Places {
  readonly #slots: Slots;
  readonly #candidates = new Heap<SessionClient>();

  constructor({ leave, ...limits }: PlacesParts) {
    this.#slots = new Slots({
      ...limits,
      what: 'resident sessions',
      reclaim: () => {
        const oldest = this.#takeOldest();
        return oldest && leave(oldest);
      },
    });
  }

  get capacity(): number {
    return this.#slots.capacity;
  }

  /** A place for one session; see {@link Slots.acquire}. */
  acquire(signal?: AbortSignal): Promise<Slot> {
    return this.#slots.acquire({ signal });
  }

  /** A place, if one is free: nobody waits, and nobody gives up its own. */
  tryAcquire(): Slot | undefined {
    return this.#slots.tryAcquire();
  }

  /** Nobody needs the session in memory any more: nobody waits for it, its last reader has left, its grace is over. */
  offer(client: SessionClient): void {
    this.#candidates.set(client, client.restingSinceMs);
    this.#slots.poke();
  }

  /** The session leaves memory, for whatever reason. */
  withdraw(client: SessionClient): void {
    this.#candidates.delete(client);
  }

  /** Refuses everybody who waits, and all who come later. */
  refuse(error: RoundhouseError): void {
    this.#slots.refuse(error);
  }

  #takeOldest(): SessionClient | undefined {
    for (;;) {
      const oldest = this.#candidates.first;
      if (oldest === undefined) return undefined;
      this.#candidates.delete(oldest);
      if (mayLeave(oldest)) return oldest;
    }
  }
}

/** Whether nobody needs the session in memory now. Each `false` is followed by an offer when that has changed. */
export function mayLeave(client: SessionClient): boolean {
  const { status } = client;
  if (client.busy || client.readerCount > 0 || isFresh(client)) return false;
  return status !== 'connecting' && status !== 'closing';
}
