import type { SessionBudget } from './session-budget.ts';
import type { StopCause } from './stop-cause.ts';
import type { Turn } from './turn.ts';

export interface BudgetGateParts {
  readonly budget: Pick<SessionBudget, 'stops'>;
  /** The budget has been looked at: why the turn must not begin, or undefined. */
  readonly onLooked: (turn: Turn, cause: StopCause | undefined) => void;
}

/** Lets the prompt that waits first through to a process if the session's budget does. It is looked at once for each. */
export class BudgetGate {
  readonly #parts: BudgetGateParts;
  /** What the budget is, or has been, looked at for. */
  #look: { readonly turn: Turn; isOpen: boolean } | undefined;

  constructor(parts: BudgetGateParts) {
    this.#parts = parts;
  }

  /** Whether the turn may begin. Where that is not known yet the budget is being looked at. */
  isOpenFor(turn: Turn): boolean {
    if (this.#look?.turn !== turn) void this.#lookFor(turn);
    return this.#look?.isOpen === true;
  }

  /** The turn waits no more. */
  forget(turn: Turn): void {
    if (this.#look?.turn === turn) this.#look = undefined;
  }

  async #lookFor(turn: Turn): Promise<void> {
    const look = { turn, isOpen: false };
    this.#look = look;
    const cause = await this.#parts.budget.stops(turn.cost.spent);
    look.isOpen = cause === undefined;
    this.#parts.onLooked(turn, cause);
  }
}
