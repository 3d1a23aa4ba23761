import type {
  CatalogBodies,
  CatalogKey,
  CatalogKind,
  CatalogQuery,
  CatalogStore,
  TenantPage,
  VersionedKind,
} from '../../contracts/catalog-store.ts';
import type { Kept, KeptList, KeptPage } from '../../definitions/kept.ts';
import { idTaken, keepsVersions, madeOf } from '../catalog-rules.ts';
import { toJson } from '../json.ts';
import { listPage, listWalk } from '../list-page.ts';
import {
  checkLimit,
  fromVersionCursor,
  MAX_PAGE_SESSIONS,
  newestFirst,
  type PagePlace,
} from '../paging.ts';

/** A body as JSON, a deep copy that nobody can change. */
interface Version {
  readonly number: number;
  readonly at: string;
  readonly json: string;
}

interface Document {
  readonly key: CatalogKey<CatalogKind>;
  readonly createdAt: string;
  archivedAt: string | null;
  /** At least one, the last one holds. */
  versions: [...Version[], Version];
}

/** A {@link CatalogStore} that lives and ends with the process, for tests. What comes out is always a copy. */
export class MemoryCatalogStore implements CatalogStore {
  readonly #documents = new Map<string, Document>();

  async create<K extends CatalogKind>(
    key: CatalogKey<K>,
    body: CatalogBodies[K],
    at: string,
  ): Promise<Kept<CatalogBodies[K]>> {
    if (this.#documents.has(key.id)) throw idTaken(key.id);
    const version = { number: 1, at, json: toJson(body) };
    const document: Document = { key, createdAt: at, archivedAt: null, versions: [version] };
    this.#documents.set(key.id, document);
    return toKept(key.kind, document);
  }

  async get<K extends CatalogKind>(
    key: CatalogKey<K>,
  ): Promise<Kept<CatalogBodies[K]> | undefined> {
    const document = this.#find(key);
    return document && toKept(key.kind, document);
  }

  async list<K extends CatalogKind>(
    kind: K,
    query: CatalogQuery,
  ): Promise<KeptList<CatalogBodies[K]>> {
    checkLimit(query.limit, MAX_PAGE_SESSIONS);
    const walk = listWalk(query);
    const { from, toOlder } = walk;
    const ahead = (a: PagePlace, b: PagePlace): number =>
      toOlder ? newestFirst(a, b) : newestFirst(b, a);
    const matching = [...this.#documents.values()]
      .filter(({ key }) => key.kind === kind && key.tenant === query.tenant)
      .map((document) => toKept(kind, document))
      .filter((document) => matches(document, query))
      .toSorted(ahead);
    const found = matching.filter((document) => from === undefined || ahead(from, document) < 0);
    return listPage(found, walk, query.limit, (place) =>
      matching.some((document) => ahead(document, place) < 0),
    );
  }

  async listAll<K extends CatalogKind>(
    kind: K,
    { limit, after = '' }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<TenantPage<CatalogBodies[K]>> {
    checkLimit(limit, MAX_PAGE_SESSIONS);
    const found = [...this.#documents.values()]
      .filter(({ key }) => key.kind === kind && key.id > after)
      .toSorted((a, b) => (a.key.id < b.key.id ? -1 : 1))
      .map((document) => ({ tenant: document.key.tenant, document: toKept(kind, document) }));
    const items = found.slice(0, limit);
    const next = found.length > limit ? (items.at(-1)?.document.id ?? null) : null;
    return { items, damaged: [], next };
  }

  async replace<K extends CatalogKind>(
    key: CatalogKey<K>,
    expectedVersion: number,
    body: CatalogBodies[K],
    at: string,
  ): Promise<Kept<CatalogBodies[K]> | undefined> {
    const document = this.#find(key);
    if (document === undefined || document.archivedAt !== null) return undefined;
    if (lastOf(document).number !== expectedVersion) return undefined;
    const next = { number: expectedVersion + 1, at, json: toJson(body) };
    document.versions = keepsVersions(key.kind) ? [...document.versions, next] : [next];
    return toKept(key.kind, document);
  }

  async archive<K extends CatalogKind>(
    key: CatalogKey<K>,
    at: string,
  ): Promise<Kept<CatalogBodies[K]> | undefined> {
    const document = this.#find(key);
    if (document === undefined) return undefined;
    document.archivedAt ??= at;
    return toKept(key.kind, document);
  }

  async remove(key: CatalogKey<CatalogKind>): Promise<boolean> {
    return this.#find(key) !== undefined && this.#documents.delete(key.id);
  }

  async getVersion<K extends VersionedKind>(
    key: CatalogKey<K>,
    version: number,
  ): Promise<Kept<CatalogBodies[K]> | undefined> {
    const document = this.#find(key);
    const found = document?.versions.find(({ number }) => number === version);
    return document && found && toKept(key.kind, document, found);
  }

  async listVersions<K extends VersionedKind>(
    key: CatalogKey<K>,
    query: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<KeptPage<CatalogBodies[K]>> {
    checkLimit(query.limit, MAX_PAGE_SESSIONS);
    const after = query.after === undefined ? Infinity : fromVersionCursor(query.after);
    const document = this.#find(key);
    const found = (document?.versions ?? [])
      .filter(({ number }) => number < after)
      .toReversed()
      .flatMap((version) => (document === undefined ? [] : toKept(key.kind, document, version)));
    return toPage(found, query.limit, ({ version }) => String(version));
  }

  #find({ kind, tenant, id }: CatalogKey<CatalogKind>): Document | undefined {
    const document = this.#documents.get(id);
    return document?.key.kind === kind && document.key.tenant === tenant ? document : undefined;
  }
}

function matches(
  { id, createdAt, archivedAt, body }: Kept<CatalogBodies[CatalogKind]>,
  query: CatalogQuery,
): boolean {
  const { createdFrom, createdTo, agentId, agentVersion, environmentId, among, except } = query;
  const made = madeOf(body);
  return (
    (query.includeArchived === true || archivedAt === null) &&
    (createdFrom === undefined || createdAt >= createdFrom) &&
    (createdTo === undefined || createdAt <= createdTo) &&
    (agentId === undefined || made?.agentId === agentId) &&
    (agentVersion === undefined || made?.agentVersion === agentVersion) &&
    (environmentId === undefined || made?.environmentId === environmentId) &&
    among?.includes(id) !== false &&
    except?.includes(id) !== true
  );
}

function lastOf({ versions }: Document): Version {
  return versions.at(-1) ?? versions[0];
}

/** `_kind` says of which kind the document is known to be. */
function toKept<K extends CatalogKind>(
  _kind: K,
  document: Document,
  version = lastOf(document),
): Kept<CatalogBodies[K]> {
  const body: CatalogBodies[K] = JSON.parse(version.json);
  return {
    id: document.key.id,
    version: version.number,
    createdAt: document.createdAt,
    updatedAt: version.at,
    archivedAt: document.archivedAt,
    body,
  };
}

function toPage<Body>(
  found: readonly Kept<Body>[],
  limit: number,
  cursor: (last: Kept<Body>) => string,
): KeptPage<Body> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: last !== undefined && found.length > limit ? cursor(last) : null };
}
