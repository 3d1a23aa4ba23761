import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { EnvironmentDefinition } from '../definitions/environment.ts';
import type { Kept, KeptPage } from '../definitions/kept.ts';
import { RoundhouseError } from '../errors.ts';
import { newEnvironmentId } from '../events/ids.ts';
import { Documents, type ListQuery } from './documents.ts';

/** What the operator lets environments ask for. */
export interface EnvironmentRules {
  /** Whether that tenant's agents may work in that folder, an absolute path as the client wrote it. */
  folderAllowed(tenant: string, path: string): boolean | Promise<boolean>;
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
  readonly #store: CatalogStore;
  readonly #rules: EnvironmentRules;
  readonly #documents: Documents<'environment'>;

  constructor({ store, rules }: EnvironmentsParts) {
    this.#store = store;
    this.#rules = rules;
    this.#documents = new Documents({ store, kind: 'environment', mintId: newEnvironmentId });
  }

  async create(
    tenant: string,
    definition: EnvironmentDefinition,
  ): Promise<Kept<EnvironmentDefinition>> {
    return this.#documents.create(tenant, await this.check(tenant, definition));
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
    return this.#documents.change(tenant, id, (current) => this.check(tenant, change(current)));
  }

  list(tenant: string, query: ListQuery): Promise<KeptPage<EnvironmentDefinition>> {
    return this.#documents.list(tenant, query);
  }

  /** No session can be made in it any more, and it can't be changed; what runs goes on. */
  archive(tenant: string, id: string): Promise<Kept<EnvironmentDefinition>> {
    return this.#documents.archive(tenant, id);
  }

  /** `environment_in_use` as long as it has sessions, archived ones too. */
  async remove(tenant: string, id: string): Promise<void> {
    const { items } = await this.#store.list('session', {
      tenant,
      environmentId: id,
      includeArchived: true,
      limit: 1,
    });
    const [session] = items;
    if (session !== undefined) {
      throw new RoundhouseError(
        'environment_in_use',
        `The environment ${id} has sessions, ${session.id} for one, and can't be deleted; delete them first, or archive it.`,
      );
    }
    await this.#documents.remove(tenant, id);
  }

  /** Variables for a process of an agent, as they are now, if the operator allows them still. */
  async variables(tenant: string, id: string): Promise<EnvironmentDefinition['variables']> {
    const { body } = await this.get(tenant, id);
    this.#checkVariables(body);
    return body.variables;
  }

  /** The same definition, if the operator allows this tenant what it asks for. */
  async check(tenant: string, definition: EnvironmentDefinition): Promise<EnvironmentDefinition> {
    const { workspace } = definition;
    this.#checkVariables(definition);
    if (workspace.type !== 'fresh' && !(await this.#rules.folderAllowed(tenant, workspace.path))) {
      throw new RoundhouseError(
        'invalid_request',
        `roundhouse.workspace.path: expected a folder that exists and that the operator allows (workspaces.allowed, or the workspaces of the key), got ${JSON.stringify(workspace.path.slice(0, 200))}; choose another one, or ask the operator`,
      );
    }
    return definition;
  }

  #checkVariables({ variables }: EnvironmentDefinition): void {
    const refused = Object.keys(variables).filter((name) => !this.#rules.variableAllowed(name));
    if (refused.length === 0) return;
    throw new RoundhouseError(
      'invalid_request',
      `${refused.map((name) => `roundhouse.variables.${name}`).join(', ')}: expected variables that the operator allows (environments.variables); remove ${refused.length === 1 ? 'it' : 'them'}, or ask the operator`,
    );
  }
}
