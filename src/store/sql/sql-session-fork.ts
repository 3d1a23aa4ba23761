import { sql, type Kysely } from 'kysely';
import type { ForkSource, NewSession, SessionRow } from '../../contracts/session-store.ts';
import { letOthersRun } from '../../time/timers.ts';
import { countWithin } from '../event-queries.ts';
import { sessionNotFound } from '../record-rules.ts';
import { BYTES_PER_STEP, ROWS_PER_STEP } from './chunks.ts';
import { toSession } from './rows.ts';
import type { Database } from './schema.ts';
import { EVENT_BYTES, MARKS_A_TURN } from './sql-event-queries.ts';
import { removeEvents, removeHidden } from './sql-removal.ts';
import { insertSession } from './sql-sessions.ts';

/** How far a copy has come. */
interface Copied {
  /** The number of the last record of the source that was looked at. */
  readonly sourceNumber: number;
  /** Records in the copy; the number of its last one. */
  readonly copiedRecords: number;
  readonly copiedBytes: number;
  readonly done: boolean;
}

/**
 * See `SessionStore.forkSession`. The row comes first, at epoch 0: it names what is to be removed when the host dies on the
 * way. That the session is there is the last statement, and one.
 */
export async function forkSession(
  db: Kysely<Database>,
  session: NewSession,
  source: ForkSource,
  fill: () => Promise<void>,
): Promise<SessionRow> {
  await firstNumberOf(db, source.sessionId);
  await insertSession(db, session, 0);
  try {
    await fill();
    const copied = await copyEvents(db, session.id, source);
    return await show(db, session.id, copied);
  } catch (error) {
    const hidden = { id: session.id, agent_session_id: session.agentSessionId };
    // What is left when that fails too goes at the next start.
    await removeHidden(db, hidden).catch(() => {});
    throw error;
  }
}

/**
 * Copies records within the database, so that none comes through memory, in steps, between which others run. Which turns
 * come along is the same at each step: one that had not ended at the number ends behind it.
 */
async function copyEvents(db: Kysely<Database>, to: string, source: ForkSource): Promise<Copied> {
  let copied: Copied = { sourceNumber: 0, copiedRecords: 0, copiedBytes: 0, done: false };
  while (!copied.done) {
    const before = copied;
    const step = await db.transaction().execute((trx) => copyStep(trx, to, source, before));
    if (step === 'trimmed') {
      await removeEvents(db, to);
      copied = { ...before, copiedRecords: 0, copiedBytes: 0 };
    } else {
      copied = step;
    }
    if (!copied.done) await letOthersRun();
  }
  return copied;
}

/** Copies the next records. `trimmed`: some behind those that are copied have gone; what is left begins behind them. */
async function copyStep(
  trx: Kysely<Database>,
  to: string,
  { sessionId: from, upto }: ForkSource,
  { sourceNumber, copiedRecords, copiedBytes }: Copied,
): Promise<Copied | 'trimmed'> {
  if ((await firstNumberOf(trx, from)) > sourceNumber + 1 && copiedRecords > 0) return 'trimmed';
  const sizes = await trx
    .selectFrom('events')
    .select(['number', EVENT_BYTES.as('bytes')])
    .where('session_id', '=', from)
    .where('number', '>', sourceNumber)
    .where('number', '<=', upto)
    .orderBy('number')
    .limit(ROWS_PER_STEP)
    .execute();
  const count = countWithin(
    sizes.map((size) => size.bytes),
    BYTES_PER_STEP,
  );
  const last = sizes[count - 1]?.number;
  if (last === undefined) return { sourceNumber, copiedRecords, copiedBytes, done: true };
  const endsBehind = trx
    .selectFrom('events as later')
    .select('later.number')
    .where('later.session_id', '=', from)
    .whereRef('later.turn_id', '=', sql.ref('events.turn_id'))
    .where('later.number', '>', upto)
    .where(MARKS_A_TURN);
  const isOpen = trx
    .selectFrom('open_turns')
    .select('open_turns.turn_id')
    .where('open_turns.session_id', '=', from)
    .whereRef('open_turns.turn_id', '=', sql.ref('events.turn_id'));
  const copies = await trx
    .insertInto('events')
    .columns(['session_id', 'number', 'turn_id', 'at', 'type', 'event_id', 'body', 'detail'])
    .expression((eb) =>
      eb
        .selectFrom('events')
        .select((select) => [
          select.val(to).as('session_id'),
          sql<number>`row_number() over (order by number) + ${copiedRecords}`.as('number'),
          'turn_id',
          'at',
          'type',
          'event_id',
          'body',
          'detail',
        ])
        .where('session_id', '=', from)
        .where('number', '>', sourceNumber)
        .where('number', '<=', last)
        .where((where) => where.not(where.exists(endsBehind)))
        .where((where) => where.not(where.exists(isOpen))),
    )
    .returning(EVENT_BYTES.as('bytes'))
    .execute();
  return {
    sourceNumber: last,
    copiedRecords: copiedRecords + copies.length,
    copiedBytes: copies.reduce((sum, copy) => sum + copy.bytes, copiedBytes),
    done: last === upto,
  };
}

/** The first number that there is of the source. `session_not_found`. */
async function firstNumberOf(db: Kysely<Database>, sessionId: string): Promise<number> {
  const source = await db
    .selectFrom('sessions')
    .select('first_number')
    .where('id', '=', sessionId)
    .where('epoch', '>', 0)
    .executeTakeFirst();
  if (source === undefined) throw sessionNotFound(sessionId);
  return source.first_number;
}

async function show(
  db: Kysely<Database>,
  id: string,
  { copiedRecords, copiedBytes }: Copied,
): Promise<SessionRow> {
  const row = await db
    .updateTable('sessions')
    .set({ epoch: 1, last_number: copiedRecords, event_bytes: copiedBytes })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  return toSession(row);
}
