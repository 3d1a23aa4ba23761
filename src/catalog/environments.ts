import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { EnvironmentDefinition } from '../definitions/environment.ts';
import type { Kept, KeptPage } from '../definitions/kept.ts';
import { RoundhouseError } from '../errors.ts';
import { newEnvironmentId } from '../events/ids.ts';
import { Documents, type ListQuery } from './documents.ts';

/** What the operator lets environments ask for. */
export interface EnvironmentRules {
  /** Whether agents may work in that folder, an absolute path as the client wrote it. */
  folderAllowed(path: string): boolean | Promise<boolean>;
  /** Whether clients may set that variable. */
  variableAllowed(name: string): boolean;
}

export interface EnvironmentsParts {
  readonly store: CatalogStore;
  readonly rules: EnvironmentRules;
}

/**
 * Where sessions can run. One that asks for more than the operator allows is not kept: `invalid_request`, naming the field.
 * What was allowed once may be no longer: whoever starts a process asks {@link Environments.check} again. Another tenant's
 * are `not_found`; every method rejects with `storage_failed` too.
 */
export class Environments {
  readonly #rules: EnvironmentRules;
  readonly #documents: Documents<'environment'>;

  constructor({ store, rules }: EnvironmentsParts) {
    this.#rules = rules;
    this.#documents = new Documents({ store, kind: 'environment', mintId: newEnvironmentId });
  }

  async create(
    tenant: string,
    definition: EnvironmentDefinition,
  ): Promise<Kept<EnvironmentDefinition>> {
    return this.#documents.create(tenant, await this.check(definition));
  }

  get(tenant: string, id: string): Promise<Kept<EnvironmentDefinition>> {
    return this.#documents.get(tenant, id);
  }

  /** Changes an environment, as {@link Documents.change} does: `environment_archived`. */
  update(
    tenant: string,
    id: string,
    change: (current: EnvironmentDefinition) => EnvironmentDefinition,
  ): Promise<Kept<EnvironmentDefinition>> {
    return this.#documents.change(tenant, id, (current) => this.check(change(current)));
  }

  list(tenant: string, query: ListQuery): Promise<KeptPage<EnvironmentDefinition>> {
    return this.#documents.list(tenant, query);
  }

  /** No session can be made in it any more, and it can't be changed; what runs goes on. */
  archive(tenant: string, id: string): Promise<Kept<EnvironmentDefinition>> {
    return this.#documents.archive(tenant, id);
  }

  remove(tenant: string, id: string): Promise<void> {
    return this.#documents.remove(tenant, id);
  }

  /** The same definition, if the operator allows what it asks for. */
  async check(definition: EnvironmentDefinition): Promise<EnvironmentDefinition> {
    const { workspace, variables } = definition;
    const refused = Object.keys(variables).filter((name) => !this.#rules.variableAllowed(name));
    if (refused.length > 0) {
      throw new RoundhouseError(
        'invalid_request',
        `${refused.map((name) => `roundhouse.variables.${name}`).join(', ')}: expected variables that the operator allows (environments.variables); remove ${refused.length === 1 ? 'it' : 'them'}, or ask the operator`,
      );
    }
    if (workspace.type === 'folder' && !(await this.#rules.folderAllowed(workspace.path))) {
      throw new RoundhouseError(
        'invalid_request',
        `roundhouse.workspace.path: expected a folder that the operator allows, got ${JSON.stringify(workspace.path.slice(0, 200))}; choose another one, or ask the operator`,
      );
    }
    return definition;
  }
}
