import type { Kysely } from 'kysely';
import type { EventRecord, PromptContent } from '../../events/record.ts';
import type {
  EventBounds,
  EventPage,
  EventQuery,
  ForkSource,
  NewSession,
  RequestMark,
  SessionPage,
  SessionPatch,
  SessionRow,
  SessionStore,
  Trimmed,
  UnfinishedTurn,
} from '../../contracts/session-store.ts';
import {
  checkLimit,
  fromCursor,
  MAX_PAGE_SESSIONS,
  MAX_READ_RECORDS,
  toCursor,
} from '../paging.ts';
import {
  checkRecords,
  recordsRefused,
  sessionMoved,
  sessionNotFound,
  storeClosed,
  turnMarks,
} from '../record-rules.ts';
import type { TurnMark } from '../record-rules.ts';
import { planTrim, recordBytes, type TrimState } from '../trim-rules.ts';
import { inChunks } from './chunks.ts';
import { CompiledStatements } from './compiled-statements.ts';
import { copyEvents, insertSession } from './sql-session-fork.ts';
import { eventColumns, patchColumns, toEvent, toSession } from './rows.ts';
import type { Database, EventsTable } from './schema.ts';
import { SqlCatalogStore } from './sql-catalog-store.ts';
import {
  EVENT_BYTES,
  findRequest,
  givenContent,
  keepRequest,
  listEvents,
  numberOfEvent,
  processedAt,
} from './sql-event-queries.ts';
import { SqlTranscriptStore, type MapStorageError } from './sql-transcript-store.ts';

/** What a {@link SqlSessionStore} is made of. The schema must be up to date. */
export interface SqlSessionStoreParts {
  readonly db: Kysely<Database>;
  readonly mapError: MapStorageError;
  /** Gives back what the opening took, once the database is closed. */
  readonly release: () => Promise<void>;
}

/** Sessions in SQL tables. Queries keep to what SQLite and Postgres both understand. */
export class SqlSessionStore implements SessionStore {
  readonly transcripts: SqlTranscriptStore;
  /** What sessions are made of, in the same database. */
  readonly catalog: SqlCatalogStore;
  readonly #db: Kysely<Database>;
  readonly #mapError: MapStorageError;
  readonly #release: () => Promise<void>;
  readonly #statements = new CompiledStatements();
  #closing: Promise<void> | undefined;

  constructor({ db, mapError, release }: SqlSessionStoreParts) {
    this.#db = db;
    this.#mapError = (error) => (this.#closing === undefined ? mapError(error) : storeClosed());
    this.#release = release;
    this.transcripts = new SqlTranscriptStore(db, this.#mapError);
    this.catalog = new SqlCatalogStore(db, this.#mapError);
  }

  createSession(session: NewSession): Promise<SessionRow> {
    return this.#mapped(() => insertSession(this.#db, session));
  }

  forkSession(session: NewSession, source: ForkSource): Promise<SessionRow> {
    return this.#mapped(() =>
      this.#db.transaction().execute(async (trx) => {
        const row = await insertSession(trx, session);
        await copyEvents(trx, row.id, source);
        return row;
      }),
    );
  }

  getSession(id: string): Promise<SessionRow | undefined> {
    return this.#mapped(async () => {
      const row = await this.#db
        .selectFrom('sessions')
        .selectAll()
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toSession(row);
    });
  }

  findSession(tenant: string, name: string): Promise<SessionRow | undefined> {
    return this.#mapped(async () => {
      const row = await this.#db
        .selectFrom('sessions')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('name', '=', name)
        .executeTakeFirst();
      return row && toSession(row);
    });
  }

  listSessions(query: Parameters<SessionStore['listSessions']>[0]): Promise<SessionPage> {
    return this.#mapped(async () => {
      checkLimit(query.limit, MAX_PAGE_SESSIONS);
      const { tenant, kind } = query;
      const after = query.after === undefined ? undefined : fromCursor(query.after);
      const rows = await this.#db
        .selectFrom('sessions')
        .selectAll()
        .$if(tenant !== undefined, (select) => select.where('tenant', '=', tenant ?? ''))
        .$if(kind !== undefined, (select) => select.where('kind', '=', kind ?? 'named'))
        .$if(after !== undefined, (select) =>
          // A comparison of pairs: with `or` in its place SQLite would read all pages before this one.
          select.where((eb) =>
            eb(
              eb.refTuple('created_at', 'id'),
              '<',
              eb.tuple(after?.createdAt ?? '', after?.id ?? ''),
            ),
          ),
        )
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(query.limit + 1)
        .execute();
      const sessions = rows.slice(0, query.limit).map(toSession);
      const last = sessions.at(-1);
      const next = last !== undefined && rows.length > sessions.length ? toCursor(last) : null;
      return { sessions, next };
    });
  }

  countSessions(tenant: string): Promise<number> {
    return this.#mapped(async () => {
      const { count } = await this.#db
        .selectFrom('sessions')
        .select((eb) => eb.fn.countAll<number | string | bigint>().as('count'))
        .where('tenant', '=', tenant)
        .where('kind', '=', 'named')
        .executeTakeFirstOrThrow();
      // Databases give it as a number, a text or a big one.
      return Number(count);
    });
  }

  claimSession(id: string, owner: string): Promise<SessionRow> {
    return this.#mapped(async () => {
      const row = await this.#db
        .updateTable('sessions')
        .set((eb) => ({ owner, epoch: eb('epoch', '+', 1) }))
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst();
      if (row === undefined) throw sessionNotFound(id);
      return toSession(row);
    });
  }

  append(
    sessionId: string,
    epoch: number,
    records: readonly EventRecord[],
    patch: SessionPatch = {},
    mark?: RequestMark,
  ): Promise<void> {
    return this.#mapped(async () => {
      checkRecords(sessionId, records);
      // Made before the transaction begins: it must hold the one connection for as short as it can.
      const columns = records.map(eventColumns);
      const bytes = columns.reduce((sum, row) => sum + recordBytes(row), 0);
      const rows = inChunks(columns);
      const marks = turnMarks(records);
      await this.#db.transaction().execute(async (trx) => {
        await this.#moveSession(trx, sessionId, epoch, records, bytes, patch);
        for (const chunk of rows) await this.#insertEvents(trx, chunk);
        for (const turn of marks) await this.#markTurn(trx, sessionId, turn);
        if (mark !== undefined) await keepRequest(trx, sessionId, mark);
      });
    });
  }

  findRequest(sessionId: string, key: string, now: string): Promise<RequestMark | undefined> {
    return this.#mapped(() => findRequest(this.#db, sessionId, key, now));
  }

  listEvents(sessionId: string, query: EventQuery): Promise<EventPage> {
    return this.#mapped(() => listEvents(this.#db, sessionId, query));
  }

  processedAt(sessionId: string, turnIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#mapped(() => processedAt(this.#db, sessionId, turnIds));
  }

  numberOfEvent(sessionId: string, eventId: string): Promise<number | undefined> {
    return this.#mapped(() => numberOfEvent(this.#db, sessionId, eventId));
  }

  readEvents(
    sessionId: string,
    after: number,
    limit: number,
    maxBytes?: number,
  ): Promise<EventRecord[]> {
    return this.#mapped(async () => {
      checkLimit(limit, MAX_READ_RECORDS);
      // The first always comes, so one alone has no bound; the readers of turns mostly begin with one.
      if (maxBytes !== undefined && limit > 1)
        return this.#readBounded(sessionId, after, limit, maxBytes);
      const rows = await this.#db
        .selectFrom('events')
        .selectAll()
        .where('session_id', '=', sessionId)
        .where('number', '>', after)
        .orderBy('number')
        .limit(limit)
        .execute();
      return rows.map(toEvent);
    });
  }

  trimEvents(sessionId: string, bounds: EventBounds, maxRecords: number): Promise<Trimmed> {
    return this.#mapped(async () => {
      checkLimit(maxRecords, MAX_READ_RECORDS);
      const session = await readTrimState(this.#db, sessionId);
      if (session === undefined) return { removed: 0, more: false };
      // Decided outside of the transaction, which holds the one connection: nobody writes to old records, and appends since
      // only let more go. Another trimmer would be noticed by the first number.
      const candidates = await this.#db
        .selectFrom('events')
        .select(['number', 'turn_id as turnId', 'at', EVENT_BYTES.as('bytes')])
        .where('session_id', '=', sessionId)
        .where('number', '>=', session.firstNumber)
        .where('number', '<', session.firstNumber + maxRecords)
        .orderBy('number')
        .execute();
      const plan = planTrim(candidates, session, bounds, maxRecords);
      if (plan.removed === 0) return { removed: 0, more: false };
      return this.#db.transaction().execute(async (trx) => {
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
    });
  }

  lastEventNumber(sessionId: string): Promise<number> {
    return this.#mapped(async () => {
      const row = await this.#db
        .selectFrom('sessions')
        .select('last_number')
        .where('id', '=', sessionId)
        .executeTakeFirst();
      return row?.last_number ?? 0;
    });
  }

  unfinishedTurns(): Promise<UnfinishedTurn[]> {
    return this.#mapped(async () => {
      const rows = await this.#db
        .selectFrom('open_turns')
        .innerJoin('sessions', 'sessions.id', 'open_turns.session_id')
        .innerJoin('events', (join) =>
          join
            .onRef('events.session_id', '=', 'open_turns.session_id')
            .onRef('events.number', '=', 'open_turns.prompt_number'),
        )
        .selectAll(['sessions', 'events'])
        .select('open_turns.delivered')
        .orderBy('open_turns.position')
        // On one node positions differ; between nodes equal ones are possible, of different sessions.
        .orderBy('open_turns.session_id')
        .execute();
      return rows.map((row) => ({
        session: toSession(row),
        prompt: toEvent(row),
        delivered: row.delivered === 1,
      }));
    });
  }

  givenContent(sessionId: string, turnId: string): Promise<PromptContent | undefined> {
    return this.#mapped(() => givenContent(this.#db, sessionId, turnId));
  }

  deleteSession(id: string): Promise<void> {
    return this.#mapped(() =>
      this.#db.transaction().execute(async (trx) => {
        const session = await trx
          .deleteFrom('sessions')
          .where('id', '=', id)
          .returning('agent_session_id')
          .executeTakeFirst();
        if (session === undefined) return;
        await trx
          .deleteFrom('transcript_entries')
          .where('agent_session_id', '=', session.agent_session_id)
          .execute();
      }),
    );
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** In one statement: between two, a trim could take what the first has found. Only sizes go through the sum. */
  async #readBounded(
    sessionId: string,
    after: number,
    limit: number,
    maxBytes: number,
  ): Promise<EventRecord[]> {
    const { rows } = await this.#statements.run(
      this.#db,
      'page',
      [sessionId, after, limit, sessionId, after, maxBytes],
      () =>
        this.#db
          .with('sizes', (db) =>
            db
              .selectFrom('events')
              .select(['number', EVENT_BYTES.as('bytes')])
              .where('session_id', '=', sessionId)
              .where('number', '>', after)
              .orderBy('number')
              .limit(limit),
          )
          .with('sums', (db) =>
            db
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
              .where((eb) =>
                eb.or([eb('total', '<=', maxBytes), eb('total', '=', eb.ref('bytes'))]),
              ),
          )
          .orderBy('number'),
    );
    return rows.map(toEvent);
  }

  async #close(): Promise<void> {
    try {
      // Connections are given in the order of asking: this one comes after everything that is under way.
      await this.#db.connection().execute(async () => {});
      await this.#db.destroy();
    } finally {
      await this.#release();
    }
  }

  /**
   * Changes the row, provided that the epoch and the last number are as expected. It is the first statement of its
   * transaction, and it locks the row: two appends to one session can't both pass, on any database.
   */
  async #moveSession(
    trx: Kysely<Database>,
    sessionId: string,
    epoch: number,
    records: readonly EventRecord[],
    bytes: number,
    patch: SessionPatch,
  ): Promise<void> {
    const first = records[0];
    const last = records.at(-1);
    const changed = patchColumns(patch);
    const { numAffectedRows } = await this.#statements.run(
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
      .executeTakeFirst();
    if (row === undefined) throw sessionNotFound(sessionId);
    if (row.epoch !== epoch) throw sessionMoved(sessionId, row.epoch, epoch);
    throw recordsRefused(sessionId, row.last_number + 1, first?.number ?? 0);
  }

  async #insertEvents(trx: Kysely<Database>, rows: EventsTable[]): Promise<void> {
    await this.#statements.run(
      trx,
      `insert ${rows.length} events`,
      rows.flatMap((row) => Object.values(row)),
      () => trx.insertInto('events').values(rows),
    );
  }

  async #markTurn(trx: Kysely<Database>, sessionId: string, mark: TurnMark): Promise<void> {
    const { turnId } = mark;
    switch (mark.kind) {
      case 'begun':
        const { promptNumber, given } = mark;
        const begun = [sessionId, turnId, promptNumber, 0, given, 1];
        await this.#statements.run(trx, 'begun', begun, () =>
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
                  open(open.fn.coalesce(open.fn.max('position'), open.lit(0)), '+', 1).as(
                    'position',
                  ),
                ),
            }))
            .onConflict((conflict) => conflict.columns(['session_id', 'turn_id']).doNothing()),
        );
        break;
      case 'delivered':
        await this.#statements.run(trx, 'delivered', [1, null, sessionId, turnId], () =>
          trx
            .updateTable('open_turns')
            .set({ delivered: 1, given: null })
            .where('session_id', '=', sessionId)
            .where('turn_id', '=', turnId),
        );
        break;
      case 'ended':
        await this.#statements.run(trx, 'ended', [sessionId, turnId], () =>
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

  async #mapped<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#mapError(error);
    }
  }
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
