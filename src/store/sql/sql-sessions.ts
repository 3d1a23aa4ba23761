import type { Kysely } from 'kysely';
import type {
  NewSession,
  SessionPage,
  SessionRow,
  SessionStore,
} from '../../contracts/session-store.ts';
import { checkLimit, fromCursor, MAX_PAGE_SESSIONS, toCursor } from '../paging.ts';
import { nameTaken, sessionNotFound } from '../record-rules.ts';
import { newSessionColumns, toSession } from './rows.ts';
import type { DamagedRows } from './damaged-rows.ts';
import type { Database } from './schema.ts';

/** See `SessionStore.createSession`. `epoch` 0 makes one that nobody finds. */
export async function insertSession(
  db: Kysely<Database>,
  session: NewSession,
  epoch: 0 | 1 = 1,
): Promise<SessionRow> {
  const row = await db
    .insertInto('sessions')
    .values(newSessionColumns(session, epoch))
    .onConflict((conflict) => conflict.columns(['tenant', 'name']).doNothing())
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) throw nameTaken(session.name);
  return toSession(row);
}

/** See `SessionStore.getSession`. */
export async function getSession(
  db: Kysely<Database>,
  id: string,
): Promise<SessionRow | undefined> {
  const row = await db
    .selectFrom('sessions')
    .selectAll()
    .where('id', '=', id)
    .where('epoch', '>', 0)
    .executeTakeFirst();
  return row && toSession(row);
}

/** See `SessionStore.findSession`. */
export async function findSession(
  db: Kysely<Database>,
  tenant: string,
  name: string,
): Promise<SessionRow | undefined> {
  const row = await db
    .selectFrom('sessions')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('name', '=', name)
    .where('epoch', '>', 0)
    .executeTakeFirst();
  return row && toSession(row);
}

/** See `SessionStore.listSessions`. */
export async function listSessions(
  db: Kysely<Database>,
  damaged: DamagedRows,
  query: Parameters<SessionStore['listSessions']>[0],
): Promise<SessionPage> {
  checkLimit(query.limit, MAX_PAGE_SESSIONS);
  const { tenant, kind } = query;
  const after = query.after === undefined ? undefined : fromCursor(query.after);
  const rows = await db
    .selectFrom('sessions')
    .selectAll()
    .where('epoch', '>', 0)
    .$if(tenant !== undefined, (select) => select.where('tenant', '=', tenant ?? ''))
    .$if(kind !== undefined, (select) => select.where('kind', '=', kind ?? 'named'))
    .$if(after !== undefined, (select) =>
      // A comparison of pairs: with `or` in its place SQLite would read all pages before this one.
      select.where((eb) =>
        eb(eb.refTuple('created_at', 'id'), '<', eb.tuple(after?.createdAt ?? '', after?.id ?? '')),
      ),
    )
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(query.limit + 1)
    .execute();
  const page = rows.slice(0, query.limit);
  const last = page.at(-1);
  const next =
    last !== undefined && rows.length > page.length
      ? toCursor({ createdAt: last.created_at, id: last.id })
      : null;
  return { sessions: damaged.readable(page, toSession), next };
}

/** See `SessionStore.staleTranscriptFolders`. */
export async function staleTranscriptFolders(db: Kysely<Database>): Promise<string[]> {
  const rows = await db
    .selectFrom('sessions')
    .select('stale_transcript_folder as folder')
    .where('stale_transcript_folder', 'is not', null)
    .where('epoch', '>', 0)
    .execute();
  return rows.flatMap(({ folder }) => folder ?? []);
}

/** See `SessionStore.countSessions`. */
export async function countSessions(db: Kysely<Database>, tenant: string): Promise<number> {
  const { count } = await db
    .selectFrom('sessions')
    .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
    .where('tenant', '=', tenant)
    .where('kind', '=', 'named')
    .where('epoch', '>', 0)
    .executeTakeFirstOrThrow();
  // Databases give it as a number, a text or a big one.
  return Number(count);
}

/** See `SessionStore.claimSession`. */
export async function claimSession(
  db: Kysely<Database>,
  id: string,
  owner: string,
): Promise<SessionRow> {
  const row = await db
    .updateTable('sessions')
    .set((eb) => ({ owner, epoch: eb('epoch', '+', 1) }))
    .where('id', '=', id)
    .where('epoch', '>', 0)
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) throw sessionNotFound(id);
  return toSession(row);
}
