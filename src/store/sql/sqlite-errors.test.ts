import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { RoundhouseError } from '../../errors.ts';
import { isBusy, storageError } from './sqlite-errors.ts';

/** What `work` throws. */
function thrownBy(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

function temporaryFile(): string {
  const folder = mkdtempSync(join(tmpdir(), 'roundhouse-errors-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'x.db');
}

describe('storageError', () => {
  it('says that the disk is full, for a database that can not grow', () => {
    const database = new DatabaseSync(':memory:');
    database.exec('create table t (x); pragma max_page_count = 3');
    const error = thrownBy(() => database.exec('insert into t values (zeroblob(1000000))'));
    const mapped = storageError('The store failed', error);
    expect(mapped).toMatchObject({ code: 'storage_failed', cause: error });
    expect(mapped.message).toBe(
      'The store failed: the disk is full. Free space on the disk of the data directory, then retry.',
    );
  });

  it('says that another process writes, for a lock that was not given back in time', () => {
    const path = temporaryFile();
    const [a, b] = [new DatabaseSync(path), new DatabaseSync(path, { timeout: 0 })];
    a.exec('begin immediate');
    const error = thrownBy(() => b.exec('begin immediate'));
    expect(isBusy(error)).toBe(true);
    expect(storageError('The store failed', error).message).toContain('another process is writing');
    a.close();
    b.close();
  });

  it('says that the file is not a database, or that the database is damaged', () => {
    const path = temporaryFile();
    writeFileSync(path, 'x'.repeat(5000));
    const foreign = new DatabaseSync(path);
    const notOne = thrownBy(() => foreign.exec('create table t (x)'));
    expect(storageError('The store failed', notOne).message).toContain('is not a database');
    foreign.close();

    const damaged = new DatabaseSync(':memory:');
    damaged.exec('create table t (x); insert into t values (zeroblob(20000))');
    const bytes = damaged.serialize();
    bytes.fill(0xff, 4096, 9000);
    damaged.deserialize(bytes);
    const error = thrownBy(() => damaged.prepare('select * from t').all());
    expect(storageError('The store failed', error).message).toContain('the database is damaged');
    damaged.close();
  });

  it.each([
    ['ENOSPC', 'the disk is full'],
    ['EACCES', 'permission denied'],
    ['EROFS', 'can only be read'],
    ['ENOTDIR', 'a part of the path is a file'],
  ])('explains the system error %s', (code, reason) => {
    const error = Object.assign(new Error(`${code}: something`), { code });
    expect(storageError('The store failed', error)).toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining(reason),
      fields: { code },
    });
  });

  it('keeps the text of an error that it does not know, and passes errors of ours through', () => {
    expect(storageError('The store failed', new Error('odd')).message).toContain('odd');
    expect(storageError('The store failed', 'text').message).toContain('text');
    const own = new RoundhouseError('session_moved', 'moved');
    expect(storageError('The store failed', own)).toBe(own);
  });

  it('has a text for an SQL mistake of ours too', () => {
    const database = new DatabaseSync(':memory:');
    const error = thrownBy(() => database.exec('nonsense'));
    expect(isBusy(error)).toBe(false);
    expect(storageError('The store failed', error).message).toContain('a defect of the server');
    database.close();
  });
});
