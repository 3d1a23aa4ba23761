import { isDeepStrictEqual } from 'node:util';
import type {
  CatalogBodies,
  CatalogKey,
  CatalogKind,
  CatalogQuery,
  CatalogStore,
} from '../contracts/catalog-store.ts';
import type { Kept, KeptList } from '../definitions/kept.ts';
import { RoundhouseError } from '../errors.ts';
import { wallClockIso } from '../time/clock.ts';

/** Changes in a row that may be overtaken by others. Each time somebody else's was kept, so it takes many callers. */
const MAX_ATTEMPTS = 20;

/** What has an end of its own in the API, with its code. */
const ARCHIVED = {
  agent: 'agent_archived',
  environment: 'environment_archived',
  session: 'session_archived',
  // Nobody can archive one.
  file: 'not_found',
} as const;

/** What a caller asks a listing for; the tenant is told apart. */
export type ListQuery = Omit<CatalogQuery, 'tenant'>;

export interface DocumentsParts<K extends CatalogKind> {
  readonly store: CatalogStore;
  readonly kind: K;
  readonly mintId: () => string;
}

/**
 * All documents of one kind. What is another tenant's is not there: `not_found`, as for an id that never was. Every method
 * rejects with `storage_failed` too.
 */
export class Documents<K extends CatalogKind> {
  readonly #store: CatalogStore;
  readonly #kind: K;
  readonly #mintId: () => string;

  constructor({ store, kind, mintId }: DocumentsParts<K>) {
    this.#store = store;
    this.#kind = kind;
    this.#mintId = mintId;
  }

  /** `id`: where it is minted elsewhere; default a new one. */
  create(
    tenant: string,
    body: CatalogBodies[K],
    id = this.#mintId(),
  ): Promise<Kept<CatalogBodies[K]>> {
    return this.#store.create(this.key(tenant, id), body, wallClockIso());
  }

  async get(tenant: string, id: string): Promise<Kept<CatalogBodies[K]>> {
    return this.found(id, await this.#store.get(this.key(tenant, id)));
  }

  list(tenant: string, query: ListQuery): Promise<KeptList<CatalogBodies[K]>> {
    return this.#store.list(this.#kind, { tenant, ...query });
  }

  /**
   * Makes the next version, unless `change` changes nothing: then the document stays as it is. `change` is called again when
   * another change came between, unless `expectedVersion` says that there must be none (`version_conflict`). An archived
   * document can't be changed: `agent_archived`, `environment_archived`, `session_archived`.
   */
  async change(
    tenant: string,
    id: string,
    change: (current: CatalogBodies[K]) => CatalogBodies[K] | Promise<CatalogBodies[K]>,
    expectedVersion?: number,
  ): Promise<Kept<CatalogBodies[K]>> {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt += 1) {
      const current = await this.get(tenant, id);
      this.#checkChangeable(current, expectedVersion);
      const next = await change(current.body);
      if (isDeepStrictEqual(next, current.body)) return current;
      const key = this.key(tenant, id);
      const replaced = await this.#store.replace(key, current.version, next, wallClockIso());
      if (replaced !== undefined) return replaced;
    }
    throw new RoundhouseError(
      'version_conflict',
      `The ${this.#kind} ${id} was changed ${MAX_ATTEMPTS} times by others while it was being updated; retry.`,
    );
  }

  /** Archives it for good. Archived again it stays as it is. */
  async archive(tenant: string, id: string): Promise<Kept<CatalogBodies[K]>> {
    return this.found(id, await this.#store.archive(this.key(tenant, id), wallClockIso()));
  }

  /** Removes it with everything that is kept of it, archived or not. */
  async remove(tenant: string, id: string): Promise<void> {
    if (!(await this.#store.remove(this.key(tenant, id)))) throw this.#notFound(id);
  }

  /** Names a document of this kind to the store. */
  key(tenant: string, id: string): CatalogKey<K> {
    return { kind: this.#kind, tenant, id };
  }

  /** The document that was looked for, or `not_found`. */
  found<T>(id: string, document: T | undefined): T {
    if (document === undefined) throw this.#notFound(id);
    return document;
  }

  #checkChangeable(current: Kept<unknown>, expectedVersion: number | undefined): void {
    const { id, archivedAt, version } = current;
    if (archivedAt !== null) {
      throw new RoundhouseError(
        ARCHIVED[this.#kind],
        `The ${this.#kind} ${id} was archived at ${archivedAt} and can't be changed any more; create another one.`,
      );
    }
    if (expectedVersion === undefined || expectedVersion === version) return;
    throw new RoundhouseError(
      'version_conflict',
      `version: the ${this.#kind} ${id} is at version ${version}, the update was made for ${expectedVersion}. Retrieve it, and decide again.`,
    );
  }

  #notFound(id: string): RoundhouseError {
    return new RoundhouseError(
      'not_found',
      `No ${this.#kind} ${JSON.stringify(id.slice(0, 100))} belongs to this key.`,
    );
  }
}
