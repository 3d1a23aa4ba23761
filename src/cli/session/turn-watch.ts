import type { BetaManagedAgentsSessionStatusIdleEvent } from '@anthropic-ai/sdk/resources/beta/sessions/events';

import type { FeedEvent } from './session-feed.ts';
import type { TurnOutcome } from './turn-outcome.ts';

/**
 * Tells the events of one prompt's turn from those of others on the same session. Prompts run one after the other in the
 * order in which they came, and each begins with `session.status_running`; the API's events name no turn.
 */
export class TurnWatch {
  readonly #promptId: string | undefined;
  /** Prompts of others that have not begun. */
  #ahead = 0;
  #state: 'before' | 'waiting' | 'running';
  /** Whether a turn of somebody else runs. */
  #otherRuns: boolean;
  #interrupted = false;
  #error: string | undefined;

  /** `promptId`: undefined for a turn that has begun. `busy`: whether the session runs a turn of somebody else. */
  constructor(promptId: string | undefined, busy: boolean) {
    this.#promptId = promptId;
    this.#state = promptId === undefined ? 'running' : 'before';
    this.#otherRuns = busy;
  }

  /** The stream goes on right behind the prompt, which it does not show then. */
  passedPrompt(): void {
    if (this.#state === 'before') this.#state = 'waiting';
  }

  /** Whether the event is of the turn; to be called with every event, in order. */
  sees(event: FeedEvent): boolean {
    switch (event.type) {
      case 'user.message':
        if (event.id === this.#promptId) this.#state = 'waiting';
        else if (this.#state === 'before') this.#ahead += 1;
        return false;
      case 'session.status_running':
        if (this.#state === 'running') return true;
        if (this.#ahead === 0 && this.#state === 'waiting') this.#state = 'running';
        else {
          this.#ahead = Math.max(0, this.#ahead - 1);
          this.#otherRuns = true;
        }
        return this.#state === 'running';
      case 'user.interrupt':
        // It stops the turn that runs, or else the prompt that waits first.
        this.#interrupted ||=
          this.#state === 'running' ||
          (this.#state === 'waiting' && !this.#otherRuns && this.#ahead === 0);
        return this.#state === 'running';
      case 'session.error':
        if (this.#state === 'running') this.#error = event.error.message;
        return this.#state === 'running';
      case 'session.status_idle':
        return this.#seesRest(event);
      default:
        return this.#state === 'running';
    }
  }

  #seesRest({ stop_reason }: BetaManagedAgentsSessionStatusIdleEvent): boolean {
    const endsOther = this.#otherRuns;
    this.#otherRuns = false;
    // A prompt that was withdrawn before it began ends without having run.
    if (this.#state === 'running' || this.#interrupted) return true;
    // So does each one that finds the budget used up.
    if (endsOther || stop_reason.type !== 'budget_reached') return false;
    if (this.#ahead === 0) return this.#state === 'waiting';
    this.#ahead -= 1;
    return false;
  }

  /** What the end of the turn means. */
  outcome({ stop_reason, stop_details }: BetaManagedAgentsSessionStatusIdleEvent): TurnOutcome {
    switch (stop_reason.type) {
      case 'end_turn':
        return { kind: this.#interrupted ? 'interrupted' : 'end_turn' };
      case 'refusal':
        return withMessage('refused', stop_details?.explanation ?? undefined);
      case 'retries_exhausted':
        return withMessage('failed', this.#error);
      case 'budget_reached':
        return { kind: 'budget_reached' };
      case 'requires_action':
        return { kind: 'action_required' };
      default:
        return stop_reason satisfies never;
    }
  }
}

function withMessage(kind: TurnOutcome['kind'], message: string | undefined): TurnOutcome {
  return { kind, ...(message !== undefined && { message }) };
}
