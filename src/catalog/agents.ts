import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { AgentDefinition } from '../definitions/agent.ts';
import type { Kept, KeptPage } from '../definitions/kept.ts';
import { newAgentId } from '../events/ids.ts';
import { planAgent, type AgentRules } from './agent-plan.ts';
import { Documents, type ListQuery } from './documents.ts';

export interface AgentsParts {
  readonly store: CatalogStore;
  readonly rules: AgentRules;
}

/**
 * The agents that sessions can be made of. An agent that this host could not run is not kept: `unsupported_field`. Another
 * tenant's are `not_found`; every method rejects with `storage_failed` too.
 */
export class Agents {
  readonly #store: CatalogStore;
  readonly #rules: AgentRules;
  readonly #documents: Documents<'agent'>;

  constructor({ store, rules }: AgentsParts) {
    this.#store = store;
    this.#rules = rules;
    this.#documents = new Documents({ store, kind: 'agent', mintId: newAgentId });
  }

  async create(tenant: string, definition: AgentDefinition): Promise<Kept<AgentDefinition>> {
    return this.#documents.create(tenant, await this.#runnable(definition));
  }

  /** The agent at a version; without one, as it is now. */
  async get(tenant: string, id: string, version?: number): Promise<Kept<AgentDefinition>> {
    if (version === undefined) return this.#documents.get(tenant, id);
    const key = this.#documents.key(tenant, id);
    const found = await this.#store.getVersion(key, version);
    return this.#documents.found(`${id} at version ${version}`, found);
  }

  /** Changes an agent, as {@link Documents.change} does: `version_conflict`, `agent_archived`. */
  update(
    tenant: string,
    id: string,
    change: (current: AgentDefinition) => AgentDefinition,
    expectedVersion?: number,
  ): Promise<Kept<AgentDefinition>> {
    return this.#documents.change(
      tenant,
      id,
      (current) => this.#runnable(change(current)),
      expectedVersion,
    );
  }

  list(tenant: string, query: ListQuery): Promise<KeptPage<AgentDefinition>> {
    return this.#documents.list(tenant, query);
  }

  /** Its versions, the newest first. */
  async versions(
    tenant: string,
    id: string,
    query: Pick<ListQuery, 'limit' | 'after'>,
  ): Promise<KeptPage<AgentDefinition>> {
    // An agent has a version as long as it exists: an empty first page would mean that there is none.
    await this.#documents.get(tenant, id);
    return this.#store.listVersions(this.#documents.key(tenant, id), query);
  }

  /** No session can be made of it any more, and it can't be changed; what runs goes on. */
  archive(tenant: string, id: string): Promise<Kept<AgentDefinition>> {
    return this.#documents.archive(tenant, id);
  }

  async #runnable(definition: AgentDefinition): Promise<AgentDefinition> {
    await planAgent(definition, this.#rules);
    return definition;
  }
}
