import type { LogItem } from '../../events/preview.ts';

/** Items that a test puts in and any number of readers get, from the first one on. */
export class Feed {
  readonly #items: LogItem[] = [];
  readonly #waiting = new Set<() => void>();
  #over: { readonly error: unknown } | undefined;
  /** Readers that have not left. */
  readers = 0;
  onItem: ((item: LogItem) => void) | undefined;

  push(...items: readonly LogItem[]): void {
    this.#items.push(...items);
    for (const item of items) this.onItem?.(item);
    this.#wake();
  }

  /** Ends every reader, with `error` if there is one. */
  end(error?: unknown): void {
    this.#over = { error };
    this.#wake();
  }

  async *read(signal?: AbortSignal): AsyncGenerator<LogItem, void, undefined> {
    this.readers += 1;
    const onAbort = (): void => this.#wake();
    signal?.addEventListener('abort', onAbort);
    try {
      let next = 0;
      for (;;) {
        if (signal?.aborted === true) return;
        const item = this.#items[next];
        if (item !== undefined) {
          next += 1;
          yield item;
        } else if (this.#over !== undefined) {
          if (this.#over.error !== undefined) throw this.#over.error;
          return;
        } else {
          await new Promise<void>((resolve) => this.#waiting.add(resolve));
        }
      }
    } finally {
      this.readers -= 1;
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
