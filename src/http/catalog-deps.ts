import type { Agents } from '../catalog/agents.ts';
import type { Environments } from '../catalog/environments.ts';
import type { Sessions } from '../catalog/sessions.ts';

/** Sessions, and what they are made of. */
export interface Catalog {
  readonly agents: Agents;
  readonly environments: Environments;
  readonly sessions: Sessions;
}

/** What the catalog's routes work with. */
export interface CatalogDependencies {
  readonly catalog: Catalog;
  readonly options: { readonly models: readonly string[] };
}
