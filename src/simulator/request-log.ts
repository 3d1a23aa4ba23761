/** What the simulator remembers of a request. */
export interface RequestEntry {
  /** Counts from 1 since the start or the last reset. */
  readonly number: number;
  readonly method: string;
  /** Without the query string. */
  readonly path: string;
  /** By the wall clock, in milliseconds since the Unix epoch. */
  readonly at: number;
  /** The `x-claude-code-session-id` header, by which the requests of several Claude Code sessions can be told apart. */
  readonly claudeSessionId: string | undefined;
  /** The rest is known for `/v1/messages` and `/v1/messages/count_tokens` with a valid body only. */
  readonly model?: string;
  readonly stream?: boolean;
  readonly hasSystem?: boolean;
  readonly messageCount?: number;
  /** The last prompt of a person, directives included. */
  readonly prompt?: string | undefined;
}

interface Waiter {
  predicate: (entry: RequestEntry) => boolean;
  found: (entry: RequestEntry) => void;
}

/** The last requests, at most `maxEntries`, and those who wait for one. */
export class RequestLog {
  readonly #entries: RequestEntry[] = [];
  readonly #waiters = new Set<Waiter>();
  readonly #maxEntries: number;
  #count = 0;

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** Oldest first. A copy. */
  entries(): RequestEntry[] {
    return [...this.#entries];
  }

  /** Remembers a request and wakes those who wait for one like it. */
  add(request: Omit<RequestEntry, 'number'>): void {
    this.#count += 1;
    const entry = { number: this.#count, ...request };
    this.#entries.push(entry);
    if (this.#entries.length > this.#maxEntries) this.#entries.shift();
    for (const waiter of this.#waiters) {
      if (waiter.predicate(entry)) waiter.found(entry);
    }
  }

  /** The first remembered request that matches, else the next one to come. Rejects with the signal's reason. */
  waitFor(
    predicate: (entry: RequestEntry) => boolean,
    signal?: AbortSignal,
  ): Promise<RequestEntry> {
    const known = this.#entries.find(predicate);
    if (known !== undefined) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason);
        return;
      }
      const leave = (): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        leave();
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        predicate,
        found: (entry) => {
          leave();
          resolve(entry);
        },
      };
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  /** Forgets all requests; those who wait go on waiting. */
  clear(): void {
    this.#entries.length = 0;
    this.#count = 0;
  }
}
