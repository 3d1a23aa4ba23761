import { RoundhouseError } from '../errors.ts';
import type { Gap, LogItem } from '../events/preview.ts';
import { monotonicMs } from '../time/clock.ts';

/** How far a reader may fall behind before it is cut off. */
export interface TailLimits {
  /** Items waiting for the reader. */
  readonly maxItems: number;
  /** Age of the oldest waiting item, in milliseconds, at the moment a further one arrives. */
  readonly maxLagMs: number;
  /**
   * Memory of the items waiting for the reader, in bytes, roughly: that of their JSON as text. What comes at once passes
   * where nothing waits.
   * What the reader has taken and not finished comes on top, so that it holds at most twice this. It also bounds a page of
   * the past, which a reader takes while nothing waits for it yet.
   */
  readonly maxBytes: number;
}

export const DEFAULT_TAIL_LIMITS: TailLimits = {
  maxItems: 10_000,
  maxLagMs: 30_000,
  maxBytes: 8 * 1024 * 1024,
};

/** What happens: a gap is of the past, so it never comes this way. */
export type LiveItem = Exclude<LogItem, { readonly gap: Gap }>;

/**
 * The live end of a reader: a bounded queue between the log, which never waits, and one consumer. A consumer that does not
 * drain is cut: its queue is dropped and it gets `reader_too_slow`; it may come back from the last number it has seen.
 */
export class Tail {
  readonly #limits: TailLimits;
  #items: LiveItem[] = [];
  #bytes = 0;
  #oldestAtMs = 0;
  #end: { readonly error: RoundhouseError | undefined } | undefined;
  #wake: (() => void) | undefined;

  constructor(limits: TailLimits) {
    this.#limits = limits;
  }

  /** Of the items that wait, as they were offered. */
  get queuedBytes(): number {
    return this.#bytes;
  }

  /** Hands over what came at once, about `bytes` of it. False when the reader has been cut, now or before. */
  offer(items: readonly LiveItem[], bytes: number): boolean {
    if (this.#end !== undefined) return false;
    const now = monotonicMs();
    if (this.#items.length === 0) this.#oldestAtMs = now;
    const lagMs = now - this.#oldestAtMs;
    const { maxItems, maxLagMs, maxBytes } = this.#limits;
    const tooLarge = this.#items.length > 0 && this.#bytes + bytes > maxBytes;
    if (this.#items.length >= maxItems || lagMs > maxLagMs || tooLarge) {
      this.#items = [];
      this.#bytes = 0;
      this.end(
        new RoundhouseError(
          'reader_too_slow',
          `The reader fell behind by ${maxItems} events, ${maxBytes} bytes or ${maxLagMs} ms and was cut off; read again from the last number seen.`,
        ),
      );
      return false;
    }
    this.#items.push(...items);
    this.#bytes += bytes;
    this.#wakeUp();
    return true;
  }

  /** Nothing follows what is queued; with an error, the consumer gets it after the rest. The first call wins. */
  end(error?: RoundhouseError): void {
    this.#end ??= { error };
    this.#wakeUp();
  }

  /** Everything that waits, as soon as there is something; undefined when the tail has ended. */
  async take(): Promise<readonly LiveItem[] | undefined> {
    for (;;) {
      if (this.#items.length > 0) {
        const items = this.#items;
        this.#items = [];
        this.#bytes = 0;
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
