import { closeSync, existsSync, mkdirSync, openSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Kysely } from 'kysely';
import { RoundhouseError } from '../../errors.ts';
import type { NoteDamage } from './damaged-rows.ts';
import { takeHostLock } from './host-lock.ts';
import { migrate } from './migrate.ts';
import { NodeSqliteDialect } from './node-sqlite-dialect.ts';
import type { Database } from './schema.ts';
import { removeUnfinished } from './sql-removal.ts';
import { storageError } from './sqlite-errors.ts';
import { SqlSessionStore } from './sql-session-store.ts';

/**
 * How long a write waits for a writer outside of this process, in ms. Short, because the wait blocks the event loop and
 * with it every session; no other host can be the reason, only a shell or a backup.
 */
const BUSY_TIMEOUT_MS = 1000;

/** The size that the write-ahead log is cut back to after it has grown, in bytes. */
const WAL_KEPT_BYTES = 16 * 1024 * 1024;

export interface SqliteStoreOptions {
  /** The database file. It is made, mode 0600, with its folders, mode 0700, when it is not there; a link is followed. */
  readonly path: string;
  /**
   * What an acknowledged append survives. `normal` (default): the death of the process. `full`: a power loss too, at the
   * price of waiting for the disk in every append.
   */
  readonly synchronous?: 'normal' | 'full';
  /** Told once of each thing that turns out to be damaged in the store: lists leave it out. */
  readonly noteDamage?: NoteDamage;
}

/**
 * Opens the store in a SQLite file, for this process alone: a second opener is refused until this one has closed it or is
 * dead. Rejects with `storage_failed` for a place that can't be written, a file that is not a database, belongs to another
 * program, or was changed by a newer version, and for a database that another host uses.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<SqlSessionStore> {
  const opened: { close(): void }[] = [];
  const closeAll = (): void => {
    for (const thing of opened.splice(0).toReversed()) thing.close();
  };
  try {
    const path = madeFile(resolve(options.path));
    const lock = takeHostLock(madeFile(`${path}.lock`), path);
    opened.push({ close: () => lock.release() });
    const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    opened.push({ close: () => database.isOpen && database.close() });
    setPragmas(database, path, options.synchronous ?? 'normal');
    const db = new Kysely<Database>({ dialect: new NodeSqliteDialect(database) });
    await migrate(db, path);
    await removeUnfinished(db);
    return new SqlSessionStore({
      db,
      mapError: (error) => storageError('The store failed', error),
      noteDamage: options.noteDamage ?? (() => {}),
      release: async () => closeAll(),
    });
  } catch (error) {
    closeAll();
    throw storageError(`The database ${options.path} could not be opened`, error);
  }
}

function setPragmas(database: DatabaseSync, path: string, synchronous: 'normal' | 'full'): void {
  const mode = database.prepare('pragma journal_mode = wal').get()?.['journal_mode'];
  if (mode !== 'wal') {
    throw new RoundhouseError(
      'storage_failed',
      `The file system of ${path} allows no write-ahead log (the journal mode stays ${String(mode)}). Put the data directory on a local disk.`,
    );
  }
  database.exec(`pragma synchronous = ${synchronous}`);
  database.exec('pragma foreign_keys = on');
  database.exec(`pragma journal_size_limit = ${WAL_KEPT_BYTES}`);
}

/** Makes the file, empty and private, unless it is there, and returns its path without links. */
function madeFile(path: string): string {
  makeFolder(dirname(path));
  // Never opens a file that is there: to close it again would drop the locks that SQLite holds on it in this process.
  unlessThere(() => closeSync(openSync(path, 'wx', 0o600)));
  return realpathSync(path);
}

/**
 * Makes a folder, private, with those above it that are missing. Not by the `recursive` option of `mkdir`: that one calls
 * a file system which can only be read a missing folder, and never returns for a place under `/proc`.
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  unlessThere(() => mkdirSync(path, { mode: 0o700 }));
}

/** Runs `make`, for which it is no error that what it makes exists: another host may be starting at this moment. */
function unlessThere(make: () => void): void {
  try {
    make();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}
