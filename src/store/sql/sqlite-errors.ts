import { errorText, RoundhouseError } from '../../errors.ts';

/** Primary result codes of SQLite (https://www.sqlite.org/rescode.html); an extended code has one in its low byte. */
const SQLITE_REASONS: Readonly<Record<number, string>> = {
  5: 'another process is writing to the database and did not finish in time. End that process (a database shell, a backup), then retry.',
  6: 'the database is locked from within this process. This is a defect of the server.',
  8: 'the database can only be read. Give the user of the server the right to write the file and its folder.',
  10: 'the disk reported an error. Check the disk and the system log.',
  11: 'the database is damaged. Stop the server and restore a backup, or save what can be saved with `sqlite3 FILE .recover`.',
  13: 'the disk is full. Free space on the disk of the data directory, then retry.',
  14: 'the file cannot be opened. Check that it is a file and that the user of the server may write it and its folder.',
  15: 'the file does not obey the locking protocol of SQLite. Put the data directory on a local disk.',
  18: 'a value is larger than the database takes (1 GB).',
  26: 'the file is not a database. Choose another file, or restore a backup.',
};

const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full. Free space on the disk of the data directory, then retry.',
  EDQUOT: "the user's disk quota is used up. Free space, or raise the quota.",
  EACCES: 'permission denied. Give the user of the server the right to write there.',
  EPERM: 'permission denied. Give the user of the server the right to write there.',
  EROFS: 'the file system can only be read. Choose a data directory on another one.',
  ENOTDIR: 'a part of the path is a file, not a folder. Choose another path.',
  EISDIR: 'the path is a folder, a file is expected. Choose another path.',
  ENOENT: 'the folder cannot be made there. Choose another path.',
};

/**
 * Maps what `node:sqlite` and the file system throw to `storage_failed`, with the reason and the next step in the message
 * and the original as the cause. `doing` is the beginning of the message, for example `The database could not be opened`.
 * Errors of ours pass through.
 */
export function storageError(doing: string, error: unknown): RoundhouseError {
  if (error instanceof RoundhouseError) return error;
  return new RoundhouseError('storage_failed', `${doing}: ${reasonOf(error)}`, {
    cause: error,
    fields: { ...codesOf(error) },
  });
}

function reasonOf(error: unknown): string {
  const { code, sqliteCode } = codesOf(error);
  if (sqliteCode !== undefined) {
    return (
      SQLITE_REASONS[sqliteCode & 0xff] ??
      `SQLite reported "${errorText(error)}" (code ${sqliteCode}). This is a defect of the server.`
    );
  }
  if (error instanceof SyntaxError) {
    return 'a stored value is not JSON: the database is damaged or was changed from outside. Restore a backup.';
  }
  return (
    SYSTEM_REASONS[code ?? ''] ?? `${errorText(error)}. Check the disk and the log of the server.`
  );
}

/** The codes that an error of `node:sqlite` or of the system carries. */
function codesOf(error: unknown): { code?: string; sqliteCode?: number } {
  if (!(error instanceof Error)) return {};
  return {
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
    ...('errcode' in error && typeof error.errcode === 'number' && { sqliteCode: error.errcode }),
  };
}

/** Whether another connection holds the lock that was asked for. */
export function isBusy(error: unknown): boolean {
  const { sqliteCode } = codesOf(error);
  return sqliteCode !== undefined && (sqliteCode & 0xff) === 5;
}
