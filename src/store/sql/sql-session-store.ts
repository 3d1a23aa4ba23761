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
import { storeClosed } from '../record-rules.ts';
import { CompiledStatements } from './compiled-statements.ts';
import { DamagedRows, type NoteDamage } from './damaged-rows.ts';
import type { Database } from './schema.ts';
import { append } from './sql-append.ts';
import { SqlCatalogStore } from './sql-catalog-store.ts';
import { listEvents, numberOfEvent, processedAt } from './sql-event-queries.ts';
import { givenContent, unfinishedTurns } from './sql-open-turns.ts';
import { lastEventNumber, readEvents } from './sql-read-events.ts';
import { deleteSession } from './sql-removal.ts';
import { findRequest } from './sql-requests.ts';
import { forkSession } from './sql-session-fork.ts';
import {
  claimSession,
  countSessions,
  findSession,
  getSession,
  insertSession,
  listSessions,
  staleTranscriptFolders,
} from './sql-sessions.ts';
import { SqlTranscriptStore } from './sql-transcript-store.ts';
import { trimEvents } from './sql-trim.ts';
import { mapped, type MapStorageError } from './storage-calls.ts';

/** What a {@link SqlSessionStore} is made of. The schema must be up to date. */
export interface SqlSessionStoreParts {
  readonly db: Kysely<Database>;
  readonly mapError: MapStorageError;
  readonly noteDamage: NoteDamage;
  /** Gives back what the opening took, once the database is closed. */
  readonly release: () => Promise<void>;
}

/**
 * Sessions in SQL tables. Queries keep to what SQLite and Postgres both understand; they stand in the files `sql-…` of this
 * folder, by what they are about.
 */
export class SqlSessionStore implements SessionStore {
  readonly transcripts: SqlTranscriptStore;
  /** What sessions are made of, in the same database. */
  readonly catalog: SqlCatalogStore;
  readonly #db: Kysely<Database>;
  readonly #mapError: MapStorageError;
  readonly #release: () => Promise<void>;
  readonly #damaged: DamagedRows;
  readonly #statements = new CompiledStatements();
  #closing: Promise<void> | undefined;

  constructor({ db, mapError, noteDamage, release }: SqlSessionStoreParts) {
    this.#db = db;
    this.#mapError = (error) => {
      this.#damaged.tell(error);
      return this.#closing === undefined ? mapError(error) : storeClosed();
    };
    this.#release = release;
    this.#damaged = new DamagedRows(noteDamage);
    this.transcripts = new SqlTranscriptStore(db, this.#mapError);
    this.catalog = new SqlCatalogStore(db, this.#damaged, this.#mapError);
  }

  createSession(session: NewSession): Promise<SessionRow> {
    return this.#mapped(() => insertSession(this.#db, session));
  }

  forkSession(
    session: NewSession,
    source: ForkSource,
    fill: () => Promise<void>,
  ): Promise<SessionRow> {
    return this.#mapped(() => forkSession(this.#db, session, source, fill));
  }

  getSession(id: string): Promise<SessionRow | undefined> {
    return this.#mapped(() => getSession(this.#db, id));
  }

  findSession(tenant: string, name: string): Promise<SessionRow | undefined> {
    return this.#mapped(() => findSession(this.#db, tenant, name));
  }

  listSessions(query: Parameters<SessionStore['listSessions']>[0]): Promise<SessionPage> {
    return this.#mapped(() => listSessions(this.#db, this.#damaged, query));
  }

  staleTranscriptFolders(): Promise<string[]> {
    return this.#mapped(() => staleTranscriptFolders(this.#db));
  }

  countSessions(tenant: string): Promise<number> {
    return this.#mapped(() => countSessions(this.#db, tenant));
  }

  claimSession(id: string, owner: string): Promise<SessionRow> {
    return this.#mapped(() => claimSession(this.#db, id, owner));
  }

  append(
    sessionId: string,
    epoch: number,
    records: readonly EventRecord[],
    patch: SessionPatch = {},
    mark?: RequestMark,
  ): Promise<void> {
    return this.#mapped(() =>
      append(this.#db, this.#statements, { sessionId, epoch, records, patch, mark }),
    );
  }

  findRequest(sessionId: string, key: string, now: string): Promise<RequestMark | undefined> {
    return this.#mapped(() => findRequest(this.#db, sessionId, key, now));
  }

  readEvents(
    sessionId: string,
    after: number,
    limit: number,
    maxBytes?: number,
  ): Promise<EventRecord[]> {
    return this.#mapped(() =>
      readEvents(this.#db, this.#statements, { sessionId, after, limit }, maxBytes),
    );
  }

  listEvents(sessionId: string, query: EventQuery): Promise<EventPage> {
    return this.#mapped(() => listEvents(this.#db, this.#damaged, sessionId, query));
  }

  processedAt(sessionId: string, turnIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return this.#mapped(() => processedAt(this.#db, sessionId, turnIds));
  }

  numberOfEvent(sessionId: string, eventId: string): Promise<number | undefined> {
    return this.#mapped(() => numberOfEvent(this.#db, sessionId, eventId));
  }

  trimEvents(sessionId: string, bounds: EventBounds, maxRecords: number): Promise<Trimmed> {
    return this.#mapped(() => trimEvents(this.#db, sessionId, bounds, maxRecords));
  }

  lastEventNumber(sessionId: string): Promise<number> {
    return this.#mapped(() => lastEventNumber(this.#db, sessionId));
  }

  unfinishedTurns(): Promise<UnfinishedTurn[]> {
    return this.#mapped(() => unfinishedTurns(this.#db, this.#damaged));
  }

  givenContent(sessionId: string, turnId: string): Promise<PromptContent | undefined> {
    return this.#mapped(() => givenContent(this.#db, sessionId, turnId));
  }

  deleteSession(id: string): Promise<void> {
    return this.#mapped(() => deleteSession(this.#db, id));
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
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

  #mapped<T>(work: () => Promise<T>): Promise<T> {
    return mapped(this.#mapError, work);
  }
}
