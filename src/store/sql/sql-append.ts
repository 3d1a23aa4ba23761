import type { Kysely } from 'kysely';
import type { RequestMark, SessionPatch } from '../../contracts/session-store.ts';
import type { EventRecord } from '../../events/record.ts';
import {
  checkRecords,
  recordsRefused,
  sessionMoved,
  sessionNotFound,
  turnMarks,
} from '../record-rules.ts';
import { recordBytes } from '../trim-rules.ts';
import { inChunks } from './chunks.ts';
import type { CompiledStatements } from './compiled-statements.ts';
import { eventColumns, patchColumns } from './rows.ts';
import type { Database, EventsTable } from './schema.ts';
import { markTurn } from './sql-open-turns.ts';
import { keepRequest } from './sql-requests.ts';

/** What one call of `SessionStore.append` brings. */
export interface Append {
  readonly sessionId: string;
  readonly epoch: number;
  readonly records: readonly EventRecord[];
  readonly patch: SessionPatch;
  readonly mark: RequestMark | undefined;
}

/** See `SessionStore.append`. */
export async function append(
  db: Kysely<Database>,
  statements: CompiledStatements,
  { sessionId, epoch, records, patch, mark }: Append,
): Promise<void> {
  checkRecords(sessionId, records);
  // Made before the transaction begins: it must hold the one connection for as short as it can.
  const columns = records.map(eventColumns);
  const bytes = columns.reduce((sum, row) => sum + recordBytes(row), 0);
  const rows = inChunks(columns);
  const marks = turnMarks(records);
  await db.transaction().execute(async (trx) => {
    await moveSession(trx, statements, { sessionId, epoch, records, bytes, patch });
    for (const chunk of rows) await insertEvents(trx, statements, chunk);
    for (const turn of marks) await markTurn(trx, statements, sessionId, turn);
    if (mark !== undefined) await keepRequest(trx, sessionId, mark);
  });
}

interface Move extends Omit<Append, 'mark'> {
  readonly bytes: number;
}

/**
 * Changes the row, provided that the epoch and the last number are as expected. It is the first statement of its
 * transaction, and it locks the row: two appends to one session can't both pass, on any database.
 */
async function moveSession(
  trx: Kysely<Database>,
  statements: CompiledStatements,
  { sessionId, epoch, records, bytes, patch }: Move,
): Promise<void> {
  const first = records[0];
  const last = records.at(-1);
  const changed = patchColumns(patch);
  const { numAffectedRows } = await statements.run(
    trx,
    `move ${Object.keys(changed).join()} ${first === undefined ? '' : 'records'}`,
    [
      ...Object.values(changed),
      epoch,
      ...(last === undefined ? [] : [last.number, bytes]),
      sessionId,
      epoch,
      ...(first === undefined ? [] : [first.number - 1]),
    ],
    () =>
      trx
        .updateTable('sessions')
        // `epoch` keeps the list from being empty when there is neither a record nor a patch.
        .set((eb) => ({
          ...changed,
          epoch,
          ...(last && { last_number: last.number, event_bytes: eb('event_bytes', '+', bytes) }),
        }))
        .where('id', '=', sessionId)
        .where('epoch', '=', epoch)
        .$if(first !== undefined, (update) =>
          update.where('last_number', '=', (first?.number ?? 1) - 1),
        ),
  );
  if (numAffectedRows === 1n) return;
  const row = await trx
    .selectFrom('sessions')
    .select(['epoch', 'last_number'])
    .where('id', '=', sessionId)
    .where('epoch', '>', 0)
    .executeTakeFirst();
  if (row === undefined) throw sessionNotFound(sessionId);
  if (row.epoch !== epoch) throw sessionMoved(sessionId, row.epoch, epoch);
  throw recordsRefused(sessionId, row.last_number + 1, first?.number ?? 0);
}

async function insertEvents(
  trx: Kysely<Database>,
  statements: CompiledStatements,
  rows: EventsTable[],
): Promise<void> {
  await statements.run(
    trx,
    `insert ${rows.length} events`,
    rows.flatMap((row) => Object.values(row)),
    () => trx.insertInto('events').values(rows),
  );
}
