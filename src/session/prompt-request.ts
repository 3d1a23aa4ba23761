import type { TurnLimits } from './limits.ts';
import type { WhenUnread } from './turn-stream.ts';

/** What a caller may ask for with a prompt, beside its content. */
export interface PromptRequest {
  /** The model of this turn only. */
  readonly model?: string;
  /** What to do while a turn runs: wait behind it (default), or refuse with `session_busy`. */
  readonly onBusy?: 'queue' | 'reject';
  /** What happens when the last reader leaves before the end. Default: the turn goes on. */
  readonly whenUnread?: WhenUnread;
  /** Withdraws the prompt while it has not been delivered. Afterwards use the handle's `interrupt`. */
  readonly signal?: AbortSignal;
  /** Limits of this turn, within the bounds of `pool.limits`; the rest is the session's. */
  readonly limits?: Partial<TurnLimits>;
}
