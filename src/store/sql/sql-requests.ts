import type { Kysely } from 'kysely';
import type { RequestMark } from '../../contracts/session-store.ts';
import { forgottenBefore } from '../event-queries.ts';
import { toJson } from '../json.ts';
import type { Database } from './schema.ts';

/** Keeps the mark of a request, and forgets those of its session that are old. */
export async function keepRequest(
  trx: Kysely<Database>,
  sessionId: string,
  { key, digest, eventIds, at }: RequestMark,
): Promise<void> {
  await trx
    .deleteFrom('requests')
    .where('session_id', '=', sessionId)
    .where('at', '<', forgottenBefore(at))
    .execute();
  const columns = { digest, event_ids: toJson(eventIds), at };
  await trx
    .insertInto('requests')
    .values({ session_id: sessionId, key, ...columns })
    // Only of one that is forgotten, after the clock was set back.
    .onConflict((conflict) => conflict.columns(['session_id', 'key']).doUpdateSet(columns))
    .execute();
}

/** See `SessionStore.findRequest`. */
export async function findRequest(
  db: Kysely<Database>,
  sessionId: string,
  key: string,
  now: string,
): Promise<RequestMark | undefined> {
  const row = await db
    .selectFrom('requests')
    .selectAll()
    .where('session_id', '=', sessionId)
    .where('key', '=', key)
    .where('at', '>=', forgottenBefore(now))
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const eventIds: string[] = JSON.parse(row.event_ids);
  return { key: row.key, digest: row.digest, eventIds, at: row.at };
}
