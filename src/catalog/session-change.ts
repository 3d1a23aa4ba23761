import { isDeepStrictEqual } from 'node:util';
import type { SessionDefinition } from '../definitions/session.ts';
import { RoundhouseError } from '../errors.ts';
import { hasListPrice } from '../events/list-price.ts';
import { newEventId } from '../events/ids.ts';
import { listCostCents, type SessionEvent } from '../events/record.ts';
import { wallClockIso } from '../time/clock.ts';
import type { SessionView } from './session-view.ts';

/** A change of a session. */
export interface SessionChange {
  /** Whether it names the agent: only a session at rest takes that. */
  readonly namesAgent: boolean;
  /** Makes the next definition; throws `invalid_request` where the result is not one. */
  readonly apply: (current: SessionDefinition) => SessionDefinition;
}

/** Throws unless the session may be changed so: `session_busy`, or `invalid_request` for its budget. */
export function checkChange(
  { kept: { id }, status, usage }: Pick<SessionView, 'kept' | 'status' | 'usage'>,
  from: SessionDefinition,
  to: SessionDefinition,
): void {
  if (status !== 'idle' && !isDeepStrictEqual(from.agent, to.agent)) {
    throw new RoundhouseError(
      'session_busy',
      `agent: session ${id} is running a turn; its agent can be changed between turns. Interrupt it, or wait for its end.`,
    );
  }
  if (to.budget === null || isDeepStrictEqual(from.budget, to.budget)) return;
  if (from.budget === null) {
    throw new RoundhouseError(
      'invalid_request',
      `budget: session ${id} has none, and only gets one when it is made (budget_create_only); leave it out, or make another session.`,
    );
  }
  checkBudgetable(to);
  const spent = listCostCents(usage);
  if (Number(to.budget.max_list_cost.amount) <= spent) {
    throw new RoundhouseError(
      'invalid_request',
      `budget.max_list_cost: session ${id} has cost ${spent} cents, expected more than that, got ${to.budget.max_list_cost.amount} (budget_not_raised); raise it, or interrupt the session.`,
    );
  }
}

/** Throws `invalid_request` for a budget of what can not be measured: the models of an agent that have no list price. */
export function checkBudgetable({
  agent,
  budget,
}: Pick<SessionDefinition, 'agent' | 'budget'>): void {
  const { id } = agent.model;
  if (budget === null || hasListPrice(id)) return;
  throw new RoundhouseError(
    'invalid_request',
    `budget: expected an agent whose model has a public list price, got ${JSON.stringify(id)} (model_not_budgetable); name such a model in full, or leave the budget out.`,
  );
}

/** The event that tells of a change, with just what changed; undefined when nothing did. */
export function updatedEvent(
  from: SessionDefinition,
  to: SessionDefinition,
): SessionEvent | undefined {
  const changed = (field: keyof SessionDefinition): boolean =>
    !isDeepStrictEqual(from[field], to[field]);
  if (isDeepStrictEqual(from, to)) return undefined;
  return {
    type: 'session.updated',
    id: newEventId(),
    processed_at: wallClockIso(),
    ...(changed('title') && { title: to.title }),
    // Empty metadata is not shown: that is how the API has it.
    ...(changed('metadata') &&
      Object.keys(to.metadata).length > 0 && { metadata: { ...to.metadata } }),
    ...(changed('agent') && { agent: to.agent }),
    ...(changed('budget') && { budget: to.budget }),
  };
}
