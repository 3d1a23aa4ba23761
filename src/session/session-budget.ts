import type { StopCause } from './stop-cause.ts';
import type { Spent } from './turn-cost.ts';
import type { SessionRow } from '../contracts/session-store.ts';
import { asRoundhouseError, ERROR_KINDS } from '../errors.ts';
import { addUsage, listCostCents, type TurnEnd, type Usage } from '../events/record.ts';

/**
 * The most that a session may cost at list price, in whole US cents; undefined where there is no such bound. Asked for anew
 * at each look, since it may have been changed.
 */
export type BudgetOf = (
  session: Pick<SessionRow, 'tenant' | 'id' | 'name'>,
) => Promise<number | undefined>;

export interface SessionBudgetParts {
  readonly limitCents: () => Promise<number | undefined>;
  /** What the session has used in turns that have ended. */
  readonly used: () => Usage;
}

/**
 * What a session may still cost. It is looked at before each turn, wherever a tool begins or ends, and at the turn's end: what
 * one model request costs is known only after it.
 */
export class SessionBudget {
  readonly #parts: SessionBudgetParts;

  constructor(parts: SessionBudgetParts) {
    this.#parts = parts;
  }

  /** Why a turn that has used so much must not begin, or go on; undefined when it may. Never rejects: where nobody can tell, it must not. */
  async stops(spent: Spent): Promise<StopCause | undefined> {
    try {
      const limitCents = await this.#parts.limitCents();
      if (limitCents === undefined) return undefined;
      if (spent.unpricedModel !== undefined) {
        return reached(`The model ${spent.unpricedModel} has no list price to measure it by.`);
      }
      const spentCents = listCostCents(addUsage(this.#parts.used(), spent.usage));
      if (spentCents < limitCents) return undefined;
      return reached(`It has cost ${spentCents} cents of ${limitCents}.`);
    } catch (error) {
      return asRoundhouseError(error, 'storage_failed');
    }
  }

  /** Whether nothing is left after a turn with that end. Never rejects: before the next turn it is looked at again. */
  async isSpentBy({ usage }: TurnEnd): Promise<boolean> {
    try {
      const limitCents = await this.#parts.limitCents();
      if (limitCents === undefined) return false;
      return listCostCents(addUsage(this.#parts.used(), usage)) >= limitCents;
    } catch {
      // The end of a turn is told whatever the store does.
      return false;
    }
  }
}

function reached(fact: string): StopCause {
  const { when, next } = ERROR_KINDS.budget_reached;
  return { code: 'budget_reached', message: `${when} ${fact} ${next}` };
}
