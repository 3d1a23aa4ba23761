import type { Kysely } from 'kysely';
import type { EventBounds, Trimmed } from '../../contracts/session-store.ts';
import { checkLimit, MAX_READ_RECORDS } from '../paging.ts';
import { planTrim, type TrimState } from '../trim-rules.ts';
import type { Database } from './schema.ts';
import { EVENT_BYTES } from './sql-event-queries.ts';

/** See `SessionStore.trimEvents`. */
export async function trimEvents(
  db: Kysely<Database>,
  sessionId: string,
  bounds: EventBounds,
  maxRecords: number,
): Promise<Trimmed> {
  checkLimit(maxRecords, MAX_READ_RECORDS);
  const session = await readTrimState(db, sessionId);
  if (session === undefined) return { removed: 0, more: false };
  // Decided outside of the transaction, which holds the one connection: nobody writes to old records, and appends since
  // only let more go. Another trimmer would be noticed by the first number.
  const candidates = await db
    .selectFrom('events')
    .select(['number', 'turn_id as turnId', 'at', EVENT_BYTES.as('bytes')])
    .where('session_id', '=', sessionId)
    .where('number', '>=', session.firstNumber)
    .where('number', '<', session.firstNumber + maxRecords)
    .orderBy('number')
    .execute();
  const plan = planTrim(candidates, session, bounds, maxRecords);
  if (plan.removed === 0) return { removed: 0, more: false };
  return db.transaction().execute(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('sessions')
      .set((eb) => ({
        first_number: plan.firstKept,
        event_bytes: eb('event_bytes', '-', plan.removedBytes),
      }))
      .where('id', '=', sessionId)
      .where('first_number', '=', session.firstNumber)
      .executeTakeFirstOrThrow();
    if (numUpdatedRows === 0n) return { removed: 0, more: false };
    await trx
      .deleteFrom('events')
      .where('session_id', '=', sessionId)
      .where('number', '<', plan.firstKept)
      .execute();
    return { removed: plan.removed, more: plan.more };
  });
}

/** What trimming has to know of a session. Undefined when it is not there. */
async function readTrimState(
  db: Kysely<Database>,
  sessionId: string,
): Promise<(TrimState & { readonly firstNumber: number }) | undefined> {
  const row = await db
    .selectFrom('sessions')
    .select((eb) => [
      'first_number',
      'last_number',
      'event_bytes',
      eb
        .selectFrom('events')
        .select('turn_id')
        .where('session_id', '=', sessionId)
        .where('turn_id', 'is not', null)
        .orderBy('number', 'desc')
        .limit(1)
        .as('last_turn_id'),
      eb
        .selectFrom('open_turns')
        .select((open) => open.fn.min('prompt_number').as('first_open_prompt'))
        .where('session_id', '=', sessionId)
        .as('first_open_prompt'),
    ])
    .where('id', '=', sessionId)
    .where('epoch', '>', 0)
    .executeTakeFirst();
  return (
    row && {
      firstNumber: row.first_number,
      lastNumber: row.last_number,
      bytes: row.event_bytes,
      lastTurnId: row.last_turn_id,
      firstOpenPrompt: row.first_open_prompt ?? undefined,
    }
  );
}
