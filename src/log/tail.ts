import { RoundhouseError } from '../errors.ts';
import type { LogItem } from '../events/preview.ts';
import { monotonicMs } from '../time/clock.ts';

/** How far a reader may fall behind before it is cut off. */
export interface TailLimits {
  /** Items waiting for the reader. */
  readonly maxItems: number;
  /** Age of the oldest waiting item, in milliseconds, at the moment a further one arrives. */
  readonly maxLagMs: number;
}

export const DEFAULT_TAIL_LIMITS: TailLimits = { maxItems: 10_000, maxLagMs: 30_000 };

/**
 * The live end of a reader: a bounded queue between the log, which never waits, and one consumer. A consumer that does not
 * drain is cut: its queue is dropped and it gets `reader_too_slow`; it may come back from the last number it has seen.
 */
export class Tail {
  readonly #limits: TailLimits;
  #items: LogItem[] = [];
  #oldestAtMs = 0;
  #end: { readonly error: RoundhouseError | undefined } | undefined;
  #wake: (() => void) | undefined;

  constructor(limits: TailLimits) {
    this.#limits = limits;
  }

  /** Hands an item over. False when the reader has been cut, now or before. */
  offer(item: LogItem): boolean {
    if (this.#end !== undefined) return false;
    const now = monotonicMs();
    if (this.#items.length === 0) this.#oldestAtMs = now;
    const lagMs = now - this.#oldestAtMs;
    if (this.#items.length >= this.#limits.maxItems || lagMs > this.#limits.maxLagMs) {
      this.#items = [];
      this.end(
        new RoundhouseError(
          'reader_too_slow',
          `The reader fell behind by ${this.#limits.maxItems} events or ${this.#limits.maxLagMs} ms and was cut off; read again from the last number seen.`,
        ),
      );
      return false;
    }
    this.#items.push(item);
    this.#wakeUp();
    return true;
  }

  /** Nothing follows what is queued; with an error, the consumer gets it after the rest. The first call wins. */
  end(error?: RoundhouseError): void {
    this.#end ??= { error };
    this.#wakeUp();
  }

  /** Everything that waits, as soon as there is something; undefined when the tail has ended. */
  async take(): Promise<readonly LogItem[] | undefined> {
    for (;;) {
      if (this.#items.length > 0) {
        const items = this.#items;
        this.#items = [];
        return items;
      }
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
