import type { Kysely } from 'kysely';
import type {
  CatalogBodies,
  CatalogKey,
  CatalogKind,
  CatalogQuery,
  CatalogStore,
  TenantPage,
  VersionedKind,
} from '../../contracts/catalog-store.ts';
import { damagedRow } from '../../contracts/damaged-row.ts';
import type { Kept, KeptList, KeptPage } from '../../definitions/kept.ts';
import { idTaken, keepsVersions, madeOf } from '../catalog-rules.ts';
import { toJson } from '../json.ts';
import { listPage, listWalk } from '../list-page.ts';
import { checkLimit, fromVersionCursor, MAX_PAGE_SESSIONS, type PagePlace } from '../paging.ts';
import type { DamagedRows } from './damaged-rows.ts';
import type { Database } from './schema.ts';
import { mapped, type MapStorageError } from './storage-calls.ts';

/** A version with what its document says. */
interface KeptRow {
  readonly id: string;
  readonly created_at: string;
  readonly archived_at: string | null;
  readonly version: number;
  readonly at: string;
  readonly body: string;
}

/** The catalog in the tables of a `SqlSessionStore`. Queries keep to what SQLite and Postgres both understand. */
export class SqlCatalogStore implements CatalogStore {
  readonly #db: Kysely<Database>;
  readonly #damaged: DamagedRows;
  readonly #mapError: MapStorageError;

  constructor(db: Kysely<Database>, damaged: DamagedRows, mapError: MapStorageError) {
    this.#db = db;
    this.#damaged = damaged;
    this.#mapError = mapError;
  }

  create<K extends CatalogKind>(
    { kind, tenant, id }: CatalogKey<K>,
    body: CatalogBodies[K],
    at: string,
  ): Promise<Kept<CatalogBodies[K]>> {
    return this.#inTransaction(async (trx) => {
      const made = madeOf(body);
      const document = {
        id,
        kind,
        tenant,
        version: 1,
        created_at: at,
        archived_at: null,
        agent_id: made?.agentId ?? null,
        agent_version: made?.agentVersion ?? null,
        environment_id: made?.environmentId ?? null,
      };
      const row = await trx
        .insertInto('catalog_documents')
        .values(document)
        .onConflict((conflict) => conflict.column('id').doNothing())
        .returning('id')
        .executeTakeFirst();
      if (row === undefined) throw idTaken(id);
      const version = await addVersion(trx, id, 1, body, at);
      return toKept(kind, { ...document, ...version });
    });
  }

  get<K extends CatalogKind>(key: CatalogKey<K>): Promise<Kept<CatalogBodies[K]> | undefined> {
    return this.#mapped(() => find(this.#db, key));
  }

  list<K extends CatalogKind>(kind: K, query: CatalogQuery): Promise<KeptList<CatalogBodies[K]>> {
    return this.#mapped(async () => {
      const { limit, among } = query;
      checkLimit(limit, MAX_PAGE_SESSIONS);
      const walk = listWalk(query);
      const { from, toOlder } = walk;
      // A list of nothing is no valid SQL everywhere.
      if (among?.length === 0) return { items: [], next: null, prev: null };
      const rows = await this.#walk(kind, query, from, toOlder, limit + 1);
      const found = rows.map((row) => ({ ...row, createdAt: row.created_at }));
      const { items, ...cursors } = await listPage(found, walk, limit, async (place) => {
        const [other] = await this.#walk(kind, query, place, !toOlder, 1);
        return other !== undefined;
      });
      return { items: this.#damaged.readable(items, (row) => toKept(kind, row)), ...cursors };
    });
  }

  listAll<K extends CatalogKind>(
    kind: K,
    { limit, after = '' }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<TenantPage<CatalogBodies[K]>> {
    return this.#mapped(async () => {
      checkLimit(limit, MAX_PAGE_SESSIONS);
      const rows = await this.#db
        .selectFrom('catalog_documents as d')
        .innerJoin('catalog_versions as v', (join) =>
          join.onRef('v.document_id', '=', 'd.id').onRef('v.version', '=', 'd.version'),
        )
        .select([
          'd.id',
          'd.tenant',
          'd.created_at',
          'd.archived_at',
          'v.version',
          'v.at',
          'v.body',
        ])
        .where('d.kind', '=', kind)
        .where('d.id', '>', after)
        .orderBy('d.id')
        .limit(limit + 1)
        .execute();
      const page = rows.slice(0, limit);
      const damaged: string[] = [];
      const items = this.#damaged.readable(
        page,
        (row) => ({ tenant: row.tenant, document: toKept(kind, row) }),
        ({ id }) => damaged.push(id),
      );
      return { items, damaged, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
    });
  }

  replace<K extends CatalogKind>(
    key: CatalogKey<K>,
    expectedVersion: number,
    body: CatalogBodies[K],
    at: string,
  ): Promise<Kept<CatalogBodies[K]> | undefined> {
    return this.#inTransaction(async (trx) => {
      const version = expectedVersion + 1;
      const document = await trx
        .updateTable('catalog_documents')
        .set({ version })
        .where('id', '=', key.id)
        .where('kind', '=', key.kind)
        .where('tenant', '=', key.tenant)
        .where('version', '=', expectedVersion)
        .where('archived_at', 'is', null)
        .returning('id')
        .executeTakeFirst();
      if (document === undefined) return undefined;
      if (!keepsVersions(key.kind)) {
        await trx.deleteFrom('catalog_versions').where('document_id', '=', key.id).execute();
      }
      await addVersion(trx, key.id, version, body, at);
      return find(trx, key);
    });
  }

  archive<K extends CatalogKind>(
    key: CatalogKey<K>,
    at: string,
  ): Promise<Kept<CatalogBodies[K]> | undefined> {
    return this.#inTransaction(async (trx) => {
      await trx
        .updateTable('catalog_documents')
        .set({ archived_at: at })
        .where('id', '=', key.id)
        .where('kind', '=', key.kind)
        .where('tenant', '=', key.tenant)
        .where('archived_at', 'is', null)
        .execute();
      return find(trx, key);
    });
  }

  remove({ kind, tenant, id }: CatalogKey<CatalogKind>): Promise<boolean> {
    return this.#mapped(async () => {
      const { numDeletedRows } = await this.#db
        .deleteFrom('catalog_documents')
        .where('id', '=', id)
        .where('kind', '=', kind)
        .where('tenant', '=', tenant)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    });
  }

  getVersion<K extends VersionedKind>(
    key: CatalogKey<K>,
    version: number,
  ): Promise<Kept<CatalogBodies[K]> | undefined> {
    return this.#mapped(async () => {
      const row = await versionsOf(this.#db, key)
        .where('d.id', '=', key.id)
        .where('v.version', '=', version)
        .executeTakeFirst();
      return row && toKept(key.kind, row);
    });
  }

  listVersions<K extends VersionedKind>(
    key: CatalogKey<K>,
    query: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<KeptPage<CatalogBodies[K]>> {
    return this.#mapped(async () => {
      checkLimit(query.limit, MAX_PAGE_SESSIONS);
      const after = query.after === undefined ? undefined : fromVersionCursor(query.after);
      const rows = await versionsOf(this.#db, key)
        .where('d.id', '=', key.id)
        .$if(after !== undefined, (select) => select.where('v.version', '<', after ?? 0))
        .orderBy('v.version', 'desc')
        .limit(query.limit + 1)
        .execute();
      const page = rows.slice(0, query.limit);
      return {
        items: this.#damaged.readable(page, (row) => toKept(key.kind, row)),
        next: rows.length > page.length ? String(page.at(-1)?.version) : null,
      };
    });
  }

  /** Documents that a query asks for, from a place on, in one direction. */
  #walk(
    kind: CatalogKind,
    query: CatalogQuery,
    from: PagePlace | undefined,
    toOlder: boolean,
    limit: number,
  ): Promise<KeptRow[]> {
    const { tenant, createdFrom, createdTo, among, except = [] } = query;
    const { agentId, agentVersion, environmentId } = query;
    const direction = toOlder ? 'desc' : 'asc';
    return versionsOf(this.#db, { kind, tenant })
      .whereRef('v.version', '=', 'd.version')
      .$if(query.includeArchived !== true, (select) => select.where('d.archived_at', 'is', null))
      .$if(createdFrom !== undefined, (select) =>
        select.where('d.created_at', '>=', createdFrom ?? ''),
      )
      .$if(createdTo !== undefined, (select) => select.where('d.created_at', '<=', createdTo ?? ''))
      .$if(agentId !== undefined, (select) => select.where('d.agent_id', '=', agentId ?? ''))
      .$if(agentVersion !== undefined, (select) =>
        select.where('d.agent_version', '=', agentVersion ?? 0),
      )
      .$if(environmentId !== undefined, (select) =>
        select.where('d.environment_id', '=', environmentId ?? ''),
      )
      .$if(among !== undefined, (select) => select.where('d.id', 'in', among ?? []))
      .$if(except.length > 0, (select) => select.where('d.id', 'not in', except))
      .$if(from !== undefined, (select) =>
        // A comparison of pairs: with `or` in its place SQLite would read all pages before this one.
        select.where((eb) =>
          eb(
            eb.refTuple('d.created_at', 'd.id'),
            toOlder ? '<' : '>',
            eb.tuple(from?.createdAt ?? '', from?.id ?? ''),
          ),
        ),
      )
      .orderBy('d.created_at', direction)
      .orderBy('d.id', direction)
      .limit(limit)
      .execute();
  }

  #inTransaction<T>(work: (trx: Kysely<Database>) => Promise<T>): Promise<T> {
    return this.#mapped(() => this.#db.transaction().execute(work));
  }

  #mapped<T>(work: () => Promise<T>): Promise<T> {
    return mapped(this.#mapError, work);
  }
}

/** All versions of a tenant's documents of a kind. */
function versionsOf(db: Kysely<Database>, { kind, tenant }: { kind: string; tenant: string }) {
  return db
    .selectFrom('catalog_documents as d')
    .innerJoin('catalog_versions as v', 'v.document_id', 'd.id')
    .select(['d.id', 'd.created_at', 'd.archived_at', 'v.version', 'v.at', 'v.body'])
    .where('d.tenant', '=', tenant)
    .where('d.kind', '=', kind);
}

async function find<K extends CatalogKind>(
  db: Kysely<Database>,
  key: CatalogKey<K>,
): Promise<Kept<CatalogBodies[K]> | undefined> {
  const row = await versionsOf(db, key)
    .where('d.id', '=', key.id)
    .whereRef('v.version', '=', 'd.version')
    .executeTakeFirst();
  return row && toKept(key.kind, row);
}

async function addVersion(
  trx: Kysely<Database>,
  id: string,
  version: number,
  body: unknown,
  at: string,
): Promise<{ at: string; body: string }> {
  const columns = { document_id: id, version, at, body: toJson(body) };
  await trx.insertInto('catalog_versions').values(columns).execute();
  return columns;
}

/** The document of a row of that kind; a `damagedRow` where it can't be read. */
function toKept<K extends CatalogKind>(kind: K, row: KeptRow): Kept<CatalogBodies[K]> {
  return {
    id: row.id,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.at,
    archivedAt: row.archived_at,
    body: bodyOf(kind, row),
  };
}

function bodyOf<K extends CatalogKind>(kind: K, row: KeptRow): CatalogBodies[K] {
  try {
    return JSON.parse(row.body);
  } catch (error) {
    throw damagedRow(`definition of ${kind} ${row.id} (version ${row.version})`, error);
  }
}
