import type { Kysely } from 'kysely';
import type { UnfinishedTurn } from '../../contracts/session-store.ts';
import type { PromptContent } from '../../events/record.ts';
import type { TurnMark } from '../record-rules.ts';
import type { CompiledStatements } from './compiled-statements.ts';
import type { DamagedRows } from './damaged-rows.ts';
import { toEvent, toSession } from './rows.ts';
import type { Database } from './schema.ts';

/** Notes what a record has done to its turn. */
export async function markTurn(
  trx: Kysely<Database>,
  statements: CompiledStatements,
  sessionId: string,
  mark: TurnMark,
): Promise<void> {
  const { turnId } = mark;
  switch (mark.kind) {
    case 'begun':
      const { promptNumber, given } = mark;
      const begun = [sessionId, turnId, promptNumber, 0, given, 1];
      await statements.run(trx, 'begun', begun, () =>
        trx
          .insertInto('open_turns')
          .values((eb) => ({
            session_id: sessionId,
            turn_id: turnId,
            prompt_number: promptNumber,
            delivered: 0,
            given,
            position: eb
              .selectFrom('open_turns')
              .select((open) =>
                open(open.fn.coalesce(open.fn.max('position'), open.lit(0)), '+', 1).as('position'),
              ),
          }))
          .onConflict((conflict) => conflict.columns(['session_id', 'turn_id']).doNothing()),
      );
      break;
    case 'delivered':
      await statements.run(trx, 'delivered', [1, null, sessionId, turnId], () =>
        trx
          .updateTable('open_turns')
          .set({ delivered: 1, given: null })
          .where('session_id', '=', sessionId)
          .where('turn_id', '=', turnId),
      );
      break;
    case 'ended':
      await statements.run(trx, 'ended', [sessionId, turnId], () =>
        trx
          .deleteFrom('open_turns')
          .where('session_id', '=', sessionId)
          .where('turn_id', '=', turnId),
      );
      break;
    default:
      mark satisfies never;
  }
}

/** See `SessionStore.unfinishedTurns`. */
export async function unfinishedTurns(
  db: Kysely<Database>,
  damaged: DamagedRows,
): Promise<UnfinishedTurn[]> {
  const rows = await db
    .selectFrom('open_turns')
    .innerJoin('sessions', 'sessions.id', 'open_turns.session_id')
    .innerJoin('events', (join) =>
      join
        .onRef('events.session_id', '=', 'open_turns.session_id')
        .onRef('events.number', '=', 'open_turns.prompt_number'),
    )
    .selectAll(['sessions', 'events'])
    .select('open_turns.delivered')
    .where('sessions.epoch', '>', 0)
    .orderBy('open_turns.position')
    // On one node positions differ; between nodes equal ones are possible, of different sessions.
    .orderBy('open_turns.session_id')
    .execute();
  return damaged.readable(rows, (row) => ({
    session: toSession(row),
    prompt: toEvent(row),
    delivered: row.delivered === 1,
  }));
}

/** See `SessionStore.givenContent`. */
export async function givenContent(
  db: Kysely<Database>,
  sessionId: string,
  turnId: string,
): Promise<PromptContent | undefined> {
  const row = await db
    .selectFrom('open_turns')
    .select('given')
    .where('session_id', '=', sessionId)
    .where('turn_id', '=', turnId)
    .executeTakeFirst();
  if (row === undefined || row.given === null) return undefined;
  const given: PromptContent = JSON.parse(row.given);
  return given;
}
