import type { Kysely } from 'kysely';
import type { EventRecord } from '../../events/record.ts';
import { checkLimit, MAX_READ_RECORDS } from '../paging.ts';
import type { CompiledStatements } from './compiled-statements.ts';
import { toEvent } from './rows.ts';
import type { Database, EventsTable } from './schema.ts';
import { EVENT_BYTES } from './sql-event-queries.ts';

/** Which records `SessionStore.readEvents` reads. */
export interface EventRange {
  readonly sessionId: string;
  readonly after: number;
  readonly limit: number;
}

/** See `SessionStore.readEvents`. */
export async function readEvents(
  db: Kysely<Database>,
  statements: CompiledStatements,
  range: EventRange,
  maxBytes: number | undefined,
): Promise<EventRecord[]> {
  const { sessionId, after, limit } = range;
  checkLimit(limit, MAX_READ_RECORDS);
  // The first always comes, so one alone has no bound; the readers of turns mostly begin with one.
  if (maxBytes !== undefined && limit > 1) {
    return (await readBounded(db, statements, range, maxBytes)).map(toEvent);
  }
  const rows = await db
    .selectFrom('events')
    .selectAll()
    .where('session_id', '=', sessionId)
    .where('number', '>', after)
    .orderBy('number')
    .limit(limit)
    .execute();
  return rows.map(toEvent);
}

/** In one statement: between two, a trim could take what the first has found. Only sizes go through the sum. */
async function readBounded(
  db: Kysely<Database>,
  statements: CompiledStatements,
  { sessionId, after, limit }: EventRange,
  maxBytes: number,
): Promise<EventsTable[]> {
  const { rows } = await statements.run(
    db,
    'page',
    [sessionId, after, limit, sessionId, after, maxBytes],
    () =>
      db
        .with('sizes', (qb) =>
          qb
            .selectFrom('events')
            .select(['number', EVENT_BYTES.as('bytes')])
            .where('session_id', '=', sessionId)
            .where('number', '>', after)
            .orderBy('number')
            .limit(limit),
        )
        .with('sums', (qb) =>
          qb
            .selectFrom('sizes')
            .select(['number', 'bytes'])
            .select(({ fn }) =>
              fn
                .sum<number>('bytes')
                .over((over) => over.orderBy('number'))
                .as('total'),
            ),
        )
        .selectFrom('events')
        .selectAll()
        .where('session_id', '=', sessionId)
        .where('number', '>', after)
        .where('number', '<=', (outer) =>
          outer
            .selectFrom('sums')
            .select(({ fn }) => fn.max('sums.number').as('last'))
            // The second for the first of them, which always comes.
            .where((eb) => eb.or([eb('total', '<=', maxBytes), eb('total', '=', eb.ref('bytes'))])),
        )
        .orderBy('number'),
  );
  return rows;
}

/** See `SessionStore.lastEventNumber`. */
export async function lastEventNumber(db: Kysely<Database>, sessionId: string): Promise<number> {
  const row = await db
    .selectFrom('sessions')
    .select('last_number')
    .where('id', '=', sessionId)
    .where('epoch', '>', 0)
    .executeTakeFirst();
  return row?.last_number ?? 0;
}
