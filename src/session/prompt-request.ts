import type { TurnLimits } from '../definitions/turn-limits.ts';
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
  /**
   * Who answers when a call of a tool waits for leave. `client`: the turn waits, at most `awaitingClientMs`, for
   * `SessionClient.answer`. `nobody` (default): such a call is denied at once, and the model is told why.
   */
  readonly answers?: 'client' | 'nobody';
  /** Limits of this turn, within the bounds of `pool.limits`; the rest is the session's. */
  readonly limits?: Partial<TurnLimits>;
}
