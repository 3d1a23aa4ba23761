import type { LogItem } from '../events/preview.ts';
import type { TurnEnd } from '../events/record.ts';

/** Phases of a turn; see docs/session-lifecycle.md. */
export type TurnPhase =
  | 'queued'
  | 'starting'
  | 'awaiting-first-message'
  | 'awaiting-first-token'
  | 'streaming'
  | 'tool'
  | 'awaiting-client'
  | 'retrying'
  | 'ended';

/**
 * One turn, as its caller sees it. Iterating gives the turn's items in order (its own `user.message` first, the record
 * that ends it last), from the beginning, however late it starts; every iteration is a reader of its own. Leaving an
 * iteration does not end the turn, unless the prompt asked for that (`whenUnread`).
 */
export interface StreamHandle extends AsyncIterable<LogItem> {
  readonly handleId: string;
  readonly turnId: string;
  /** The record number of the prompt: a reader that saw nothing starts after `firstNumber - 1`. */
  readonly firstNumber: number;
  readonly phase: TurnPhase;
  /** Settles with the turn's one end, never rejects. */
  readonly ended: Promise<TurnEnd>;
  /** Like iterating, with a signal to leave by. */
  read(options?: { signal?: AbortSignal }): AsyncIterable<LogItem>;
  /** The same in batches of what is there at once, none of them empty: one wait for a burst of deltas, not one for each. */
  readBatches(options?: { signal?: AbortSignal }): AsyncIterable<readonly LogItem[]>;
  /** Ends this turn, queued or running. True when it was still going; settles when it has ended. */
  interrupt(): Promise<boolean>;
}
