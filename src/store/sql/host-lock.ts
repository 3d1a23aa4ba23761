import { hostname } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { RoundhouseError } from '../../errors.ts';
import { wallClockIso } from '../../time/clock.ts';
import { isBusy } from './sqlite-errors.ts';

/** The right to be the only host on a database. */
export interface HostLock {
  /** Gives it back. May be called twice. */
  release(): void;
}

/**
 * Takes the lock of the database at `databasePath`, in a small database of its own at `lockPath` (which must exist).
 * `storage_failed`, with the holder's process id, when another process, or another store of this one, holds it.
 *
 * The lock is an open write transaction, so the operating system takes it away with the process: a kill leaves nothing
 * behind that the next start would have to judge, as a file with a process id would. In SQLite's rollback mode others can
 * still read while one holds it, and so learn who does. The main database stays free for readers (`sqlite3`, a backup).
 */
export function takeHostLock(lockPath: string, databasePath: string): HostLock {
  const lock = new DatabaseSync(lockPath, { timeout: 0 });
  try {
    lock.exec('begin immediate');
    lock.exec('create table if not exists holder (pid integer, host text, since text)');
    lock.exec('delete from holder');
    lock
      .prepare('insert into holder values (?, ?, ?)')
      .run(process.pid, hostname(), wallClockIso());
    // Committed, so that others can read it. Whoever comes in between two transactions has the lock, and we are refused.
    lock.exec('commit');
    lock.exec('begin immediate');
  } catch (error) {
    const refusal = isBusy(error) ? heldBy(lock, databasePath, error) : error;
    lock.close();
    throw refusal;
  }
  return {
    release: () => {
      if (lock.isOpen) lock.close();
    },
  };
}

function heldBy(lock: DatabaseSync, databasePath: string, cause: unknown): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    `The database ${databasePath} is in use by another host${holder(lock)}. Stop that one, or choose another data directory.`,
    { cause },
  );
}

function holder(lock: DatabaseSync): string {
  try {
    const row = lock.prepare('select pid, host, since from holder').get();
    if (row === undefined) return '';
    return ` (process ${String(row['pid'])} on ${String(row['host'])}, since ${String(row['since'])})`;
  } catch {
    // The holder is writing its name at this moment; who it is, is only a help.
    return '';
  }
}
