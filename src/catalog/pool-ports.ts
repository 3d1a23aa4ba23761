import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { SessionPoolParts } from '../pool/session-pool.ts';
import type { Environments } from './environments.ts';

/** What the pool asks of the catalog. */
export type PoolPorts = Required<Pick<SessionPoolParts, 'variablesOf' | 'budgetOf' | 'deleted'>>;

/**
 * The catalog's answers to the pool. Variables of a session are those of its environment, as they are now: a changed value
 * is there with the next process, and what the operator does not allow any more starts none. A budget holds as it is at each
 * look. With a session goes what it was made of. Sessions that exist by name only have nothing here.
 */
export function poolPorts(store: CatalogStore, environments: Environments): PoolPorts {
  return {
    async variablesOf({ tenant, id, name }) {
      if (name !== id) return undefined;
      const session = await store.get({ kind: 'session', tenant, id });
      return session && environments.variables(tenant, session.body.environmentId);
    },
    async budgetOf({ tenant, id, name }) {
      if (name !== id) return undefined;
      const budget = (await store.get({ kind: 'session', tenant, id }))?.body.budget ?? null;
      return budget === null ? undefined : Number(budget.max_list_cost.amount);
    },
    async deleted({ tenant, id, name }) {
      if (name === id) await store.remove({ kind: 'session', tenant, id });
    },
  };
}
