import type { StreamHandle, TurnPhase } from './stream-handle.ts';
import type { Turn } from './turn.ts';
import type { LogItem } from '../events/preview.ts';
import { newHandleId } from '../events/ids.ts';
import type { TurnEnd } from '../events/record.ts';
import { oneByOne } from '../log/one-by-one.ts';
import type { SessionLog } from '../log/session-log.ts';
import { after, type Timer } from '../time/timers.ts';

/** What happens to a turn when its last reader leaves before the end. */
export type WhenUnread =
  | { readonly policy: 'continue' }
  | { readonly policy: 'interrupt'; readonly graceMs: number };

export interface TurnStreamParts {
  readonly turn: Turn;
  readonly firstNumber: number;
  readonly log: SessionLog;
  readonly whenUnread: WhenUnread;
  readonly interrupt: (turn: Turn) => Promise<boolean>;
  /** The last reader left, and stayed away for the grace time, while the turn was going. */
  readonly onAbandoned: (turn: Turn) => void;
}

/** The {@link StreamHandle} of a turn: a view on the session's log. */
export class TurnStream implements StreamHandle {
  readonly handleId = newHandleId();
  readonly turnId: string;
  readonly firstNumber: number;
  readonly #parts: TurnStreamParts;
  #readers = 0;
  #grace: Timer | undefined;
  #released = false;

  constructor(parts: TurnStreamParts) {
    this.#parts = parts;
    this.turnId = parts.turn.id;
    this.firstNumber = parts.firstNumber;
  }

  get phase(): TurnPhase {
    return this.#parts.turn.phase;
  }

  get ended(): Promise<TurnEnd> {
    return this.#parts.turn.ended;
  }

  /** Whether somebody has read it to its end, or has read and left. */
  get released(): boolean {
    return this.#released && this.#readers === 0;
  }

  [Symbol.asyncIterator](): AsyncIterator<LogItem> {
    return this.read()[Symbol.asyncIterator]();
  }

  read(options: { signal?: AbortSignal } = {}): AsyncGenerator<LogItem, void, undefined> {
    return oneByOne(this.readBatches(options), options.signal);
  }

  async *readBatches(
    options: { signal?: AbortSignal } = {},
  ): AsyncGenerator<readonly LogItem[], void, undefined> {
    const { log, turn } = this.#parts;
    this.#readers += 1;
    this.#grace?.cancel();
    try {
      yield* log.readBatches({
        after: this.firstNumber - 1,
        turnId: turn.id,
        ...(options.signal !== undefined && { signal: options.signal }),
      });
    } finally {
      this.#readers -= 1;
      this.#released = true;
      if (this.#readers === 0) this.#lastReaderLeft();
    }
  }

  interrupt(): Promise<boolean> {
    return this.#parts.interrupt(this.#parts.turn);
  }

  #lastReaderLeft(): void {
    const { turn, whenUnread, onAbandoned } = this.#parts;
    if (whenUnread.policy === 'continue' || turn.end !== undefined) return;
    this.#grace = after(whenUnread.graceMs, () => {
      if (this.#readers === 0 && turn.end === undefined) onAbandoned(turn);
    });
  }
}
