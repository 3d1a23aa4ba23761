import { sql, type Kysely } from 'kysely';
import type { EventPage, EventQuery } from '../../contracts/session-store.ts';
import { countWithin, narrowed, type NumberRange } from '../event-queries.ts';
import { checkLimit, MAX_READ_RECORDS } from '../paging.ts';
import { toEvent } from './rows.ts';
import type { DamagedRows } from './damaged-rows.ts';
import type { Database } from './schema.ts';

/** As `recordBytes` counts them. */
export const EVENT_BYTES = sql<number>`octet_length(body) + octet_length(detail)`;

/** Records that take a turn up, or end it. As the index `events_of_turns` has it, word for word. */
export const MARKS_A_TURN = sql<boolean>`type in ('session.status_running', 'session.status_idle', 'session.error')`;

/** See `SessionStore.listEvents`. Sizes are read first, so that a page never reads more than it gives. */
export async function listEvents(
  db: Kysely<Database>,
  damagedRows: DamagedRows,
  sessionId: string,
  query: EventQuery,
): Promise<EventPage> {
  checkLimit(query.limit, MAX_READ_RECORDS);
  const { order, types, limit, maxBytes } = query;
  const range = await rangeOf(db, sessionId, query);
  if (range.first > range.last) return NOTHING;
  const found = await sizesOf(db, sessionId, range, { order, types, limit: limit + 1 });
  const count = countWithin(
    found.slice(0, limit).map(({ bytes }) => bytes),
    maxBytes,
  );
  const page = found.slice(0, count).map(({ number }) => number);
  if (page.length === 0) return NOTHING;
  const rows = await db
    .selectFrom('events')
    .selectAll()
    .where('session_id', '=', sessionId)
    .where('number', 'in', page)
    .orderBy('number', order)
    .execute();
  const damaged: number[] = [];
  const records = damagedRows.readable(rows, toEvent, ({ number }) => damaged.push(number));
  return { records, damaged, next: found.length > count ? (page.at(-1) ?? null) : null };
}

const NOTHING: EventPage = { records: [], damaged: [], next: null };

async function rangeOf(
  db: Kysely<Database>,
  sessionId: string,
  query: EventQuery,
): Promise<NumberRange> {
  const session = await db
    .selectFrom('sessions')
    .select(['first_number as first', 'last_number as last'])
    .where('id', '=', sessionId)
    .where('epoch', '>', 0)
    .executeTakeFirst();
  if (session === undefined) return { first: 1, last: 0 };
  return narrowed(session, query, async (number) => {
    const row = await db
      .selectFrom('events')
      .select('at')
      .where('session_id', '=', sessionId)
      .where('number', '=', number)
      .executeTakeFirst();
    return row?.at;
  });
}

interface SizeQuery extends Pick<EventQuery, 'order' | 'types'> {
  readonly limit: number;
}

/** Numbers and sizes of the first records that a query names. */
async function sizesOf(
  db: Kysely<Database>,
  sessionId: string,
  { first, last }: NumberRange,
  { order, types, limit }: SizeQuery,
): Promise<{ number: number; bytes: number }[]> {
  const inRange = db
    .selectFrom('events')
    .where('session_id', '=', sessionId)
    .where('number', '>=', first)
    .where('number', '<=', last)
    .orderBy('number', order)
    .limit(limit);
  if (types === undefined) return inRange.select(['number', EVENT_BYTES.as('bytes')]).execute();
  // Each type on its own, in the order of its index: with `in` all records of a frequent type would be sorted for a page.
  // Only what the index holds: with the sizes SQLite would go through all types by the key of the table instead.
  const [one, ...others] = types.map((type) =>
    db.selectFrom(inRange.select('number').where('type', '=', type).as('t')).selectAll(),
  );
  if (one === undefined) return [];
  const all = others.reduce((union, next) => union.unionAll(next), one);
  const found = db.selectFrom(all.as('all')).select('number').orderBy('number', order).limit(limit);
  return db
    .selectFrom('events')
    .select(['number', EVENT_BYTES.as('bytes')])
    .where('session_id', '=', sessionId)
    .where('number', 'in', found)
    .orderBy('number', order)
    .execute();
}

/** See `SessionStore.processedAt`. */
export async function processedAt(
  db: Kysely<Database>,
  sessionId: string,
  turnIds: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (turnIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('events')
    .select(['turn_id', 'at'])
    .where('session_id', '=', sessionId)
    .where('turn_id', 'in', turnIds)
    .where(MARKS_A_TURN)
    // With the number alone SQLite would go through the table by its key.
    .orderBy('turn_id')
    .orderBy('number')
    .execute();
  const times = new Map<string, string>();
  for (const { turn_id: turnId, at } of rows)
    if (turnId !== null && !times.has(turnId)) times.set(turnId, at);
  return times;
}

/** See `SessionStore.numberOfEvent`. */
export async function numberOfEvent(
  db: Kysely<Database>,
  sessionId: string,
  eventId: string,
): Promise<number | undefined> {
  const row = await db
    .selectFrom('events')
    .select('number')
    .where('session_id', '=', sessionId)
    .where('event_id', '=', eventId)
    .executeTakeFirst();
  return row?.number;
}
