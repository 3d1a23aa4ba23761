import { SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import type {
  CompiledQuery,
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
  QueryResult,
  TransactionSettings,
} from 'kysely';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';

/**
 * Prepared statements to keep. The store's queries have about 30 shapes, plus one for each number of rows in a multi-row
 * insert; a statement keeps the last values bound to it, so the number must not be large.
 */
const MAX_CACHED_STATEMENTS = 100;

interface CachedStatement {
  readonly statement: StatementSync;
  /** Whether it returns rows: only then must `all` be used, and only without them are changes counted. */
  readonly returnsRows: boolean;
}

/**
 * Kysely on `node:sqlite`. The database is opened, and its pragmas set, by the caller; destroying the Kysely instance
 * closes it. `node:sqlite` is synchronous: every query blocks the event loop while it runs. There is one connection; those
 * who ask for it get it one after the other, in order.
 */
export class NodeSqliteDialect implements Dialect {
  readonly #database: DatabaseSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  createDriver(): Driver {
    return new NodeSqliteDriver(this.#database);
  }

  createQueryCompiler(): QueryCompiler {
    return new SqliteQueryCompiler();
  }

  createAdapter(): DialectAdapter {
    return new NodeSqliteAdapter();
  }

  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return new SqliteIntrospector(db);
  }
}

class NodeSqliteAdapter extends SqliteAdapter {
  /** The driver hands out its one connection in turn; Kysely's own lock lets a newcomer overtake those who wait. */
  override get supportsMultipleConnections(): boolean {
    return true;
  }

  /** Migrations run in a transaction: SQLite can, and a crash halfway must not leave half a schema behind. */
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDriver implements Driver {
  readonly #database: DatabaseSync;
  readonly #connection: NodeSqliteConnection;
  /** Settles when the last one who asked for the connection has given it back. */
  #lastHolder: Promise<void> = Promise.resolve();
  #giveBack: (() => void) | undefined;

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#connection = new NodeSqliteConnection(database);
  }

  async init(): Promise<void> {
    // The caller has opened the database.
  }

  /** In the order of asking, so that appends which were not awaited one by one still arrive in order. */
  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#lastHolder;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastHolder = promise;
    await before;
    this.#giveBack = resolve;
    return this.#connection;
  }

  async beginTransaction(
    _connection: DatabaseConnection,
    settings: TransactionSettings,
  ): Promise<void> {
    // Immediate: a transaction that reads first and then finds the write lock taken would fail without waiting.
    this.#database.exec(settings.accessMode === 'read only' ? 'begin' : 'begin immediate');
  }

  async commitTransaction(): Promise<void> {
    this.#database.exec('commit');
  }

  async rollbackTransaction(): Promise<void> {
    // A full disk and the like roll back by themselves; a second rollback would fail and hide that error.
    if (this.#database.isTransaction) this.#database.exec('rollback');
  }

  async releaseConnection(): Promise<void> {
    this.#giveBack?.();
  }

  async destroy(): Promise<void> {
    this.#database.close();
  }
}

class NodeSqliteConnection implements DatabaseConnection {
  readonly #database: DatabaseSync;
  /** The one used last stands last. */
  readonly #statements = new Map<string, CachedStatement>();

  constructor(database: DatabaseSync) {
    this.#database = database;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { statement, returnsRows } = this.#prepare(query.sql);
    const parameters = query.parameters.map(toInput);
    // The type of a row is the query builder's knowledge; a driver can only hand it through.
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion
    if (returnsRows) return { rows: statement.all(...parameters) as R[] };
    const { changes, lastInsertRowid } = statement.run(...parameters);
    return { rows: [], numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid) };
  }

  async *streamQuery<R>(query: CompiledQuery): AsyncIterableIterator<QueryResult<R>> {
    // A statement of its own: a cached one could be run again while this one is being stepped.
    const statement = this.#database.prepare(query.sql);
    for (const row of statement.iterate(...query.parameters.map(toInput))) {
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as above
      yield { rows: [row as R] };
    }
  }

  #prepare(sql: string): CachedStatement {
    const cached = this.#statements.get(sql);
    this.#statements.delete(sql);
    const entry = cached ?? this.#preparedAnew(sql);
    this.#statements.set(sql, entry);
    if (this.#statements.size > MAX_CACHED_STATEMENTS) {
      const [oldest] = this.#statements.keys();
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    return entry;
  }

  #preparedAnew(sql: string): CachedStatement {
    const statement = this.#database.prepare(sql);
    return { statement, returnsRows: statement.columns().length > 0 };
  }
}

/** Throws for a value that SQLite has no type for, a boolean or a date for example: the caller must decide its form. */
function toInput(value: unknown): SQLInputValue {
  if (
    value === null ||
    typeof value === 'number' ||
    typeof value === 'string' ||
    typeof value === 'bigint' ||
    value instanceof Uint8Array
  ) {
    return value;
  }
  throw new TypeError(`A parameter of a query has type ${typeof value}, which SQLite can't hold.`);
}
