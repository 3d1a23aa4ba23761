import { sql, type Kysely } from 'kysely';
import type { ForkSource, NewSession, SessionRow } from '../../contracts/session-store.ts';
import { sessionNotFound } from '../record-rules.ts';
import type { Database } from './schema.ts';
import { EVENT_BYTES } from './sql-event-queries.ts';
import { insertSession } from './sql-sessions.ts';

/** See `SessionStore.forkSession`. */
export function forkSession(
  db: Kysely<Database>,
  session: NewSession,
  source: ForkSource,
): Promise<SessionRow> {
  return db.transaction().execute(async (trx) => {
    const row = await insertSession(trx, session);
    await copyEvents(trx, row.id, source);
    return row;
  });
}

/** Copies records within the database: none comes through memory, however many there are. */
async function copyEvents(
  trx: Kysely<Database>,
  to: string,
  { sessionId: from, upto }: ForkSource,
): Promise<void> {
  const source = await trx
    .selectFrom('sessions')
    .select('id')
    .where('id', '=', from)
    .executeTakeFirst();
  if (source === undefined) throw sessionNotFound(from);
  const goOn = trx
    .selectFrom('events')
    .select('turn_id')
    .where('session_id', '=', from)
    .where('number', '>', upto)
    // With a null in it `not in` would let nothing through.
    .where('turn_id', 'is not', null);
  const open = trx.selectFrom('open_turns').select('turn_id').where('session_id', '=', from);
  await trx
    .insertInto('events')
    .columns(['session_id', 'number', 'turn_id', 'at', 'type', 'event_id', 'body', 'detail'])
    .expression((eb) =>
      eb
        .selectFrom('events')
        .select((select) => [
          select.val(to).as('session_id'),
          sql<number>`row_number() over (order by number)`.as('number'),
          'turn_id',
          'at',
          'type',
          'event_id',
          'body',
          'detail',
        ])
        .where('session_id', '=', from)
        .where('number', '<=', upto)
        .where((where) =>
          where.or([
            where('turn_id', 'is', null),
            where.and([where('turn_id', 'not in', goOn), where('turn_id', 'not in', open)]),
          ]),
        ),
    )
    .execute();
  await trx
    .updateTable('sessions')
    .set((eb) => ({
      last_number: eb
        .selectFrom('events')
        .select(({ fn }) => fn.coalesce(fn.max('number'), sql<number>`0`).as('last'))
        .where('session_id', '=', to),
      event_bytes: eb
        .selectFrom('events')
        .select(({ fn }) => fn.coalesce(fn.sum<number>(EVENT_BYTES), sql<number>`0`).as('bytes'))
        .where('session_id', '=', to),
    }))
    .where('id', '=', to)
    .execute();
}
