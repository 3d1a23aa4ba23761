import type { LogItem } from '../events/preview.ts';
import { turnEndOf } from '../events/record.ts';

/** Where a reader stands in a log, and what of it is the reader's: all of it, or one turn up to its end. */
export class Cursor {
  readonly #turnId: string | undefined;
  #seen: number;
  #ended = false;

  constructor(after: number, turnId: string | undefined) {
    this.#seen = after;
    this.#turnId = turnId;
  }

  /** The last number that it has passed. */
  get seen(): number {
    return this.#seen;
  }

  /** Whether the record that ends its turn was among what it took. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Those of the next items that are new to the reader and its own. */
  pass(items: readonly LogItem[]): LogItem[] {
    const turnId = this.#turnId;
    const own: LogItem[] = [];
    for (const item of items) {
      if (item.preview !== undefined) {
        if (turnId === undefined || item.turnId === turnId) own.push(item);
      } else if (item.gap !== undefined) {
        this.#seen = item.gap.to;
        own.push(item);
      } else if (item.record.number > this.#seen) {
        this.#seen = item.record.number;
        if (turnId !== undefined && item.record.turnId !== turnId) continue;
        own.push(item);
        this.#ended = turnId !== undefined && turnEndOf(item.record) !== undefined;
        if (this.#ended) break;
      }
    }
    return own;
  }
}
