import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { VariablesOf } from '../pool/process-starter.ts';
import type { Environments } from './environments.ts';

/**
 * Finds the variables of a session's environment, as they are now: a changed value is there with the next process, and what
 * the operator does not allow any more starts none. Sessions that exist by name only have none.
 */
export function sessionVariables(store: CatalogStore, environments: Environments): VariablesOf {
  return async ({ tenant, id, name }) => {
    if (name !== id) return undefined;
    const session = await store.get({ kind: 'session', tenant, id });
    return session && environments.variables(tenant, session.body.environmentId);
  };
}
