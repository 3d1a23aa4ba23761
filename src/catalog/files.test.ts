import { describe, expect, onTestFinished, test } from 'vitest';
import { MemoryCatalogStore } from '../store/memory/memory-catalog-store.ts';
import { MemoryFileStore } from '../store/memory/memory-file-store.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { FakeHost } from '../../test/support/fake-host.ts';
import { Files, type FileDescription } from './files.ts';
import type { FileLimits } from './file-quota.ts';

useFakeClock();

const HOUR_MS = 3_600_000;
const DESCRIPTION: FileDescription = { name: 'a.txt', mimeType: 'text/plain', expiresInMs: null };

function parts() {
  return {
    store: new MemoryCatalogStore(),
    bytes: new MemoryFileStore(),
    host: new FakeHost(),
    log: NO_TELEMETRY.log,
  };
}

async function opened(limits: Partial<FileLimits> = {}, given = parts()) {
  const files = new Files({
    ...given,
    limits: { maxFileBytes: 100, maxKeyBytes: 1_000, maxKeyFiles: 10, ...limits },
  });
  await files.recover();
  onTestFinished(() => files.close());
  return { files, ...given };
}

async function* bytesOf(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

function keep(files: Files, text: string, more: Partial<FileDescription> = {}, tenant = 'key-a') {
  return files.create(tenant, bytesOf(text), async () => ({ ...DESCRIPTION, ...more }));
}

function code(expected: string) {
  return expect.objectContaining({ code: expected });
}

describe('a file', () => {
  test('is kept with its bytes, under one id', async () => {
    const { files, bytes } = await opened();
    const file = await keep(files, 'hello');
    expect(file).toMatchObject({
      id: expect.stringMatching(/^file_[0-9a-z]{24}$/),
      body: { name: 'a.txt', mimeType: 'text/plain', sizeBytes: 5, expiresAt: null },
    });
    expect(await bytes.ids()).toEqual([file.id]);
    const read = await files.read('key-a', file.id, 5);
    expect(Buffer.from(read.bytes).toString()).toBe('hello');
    expect(read.file).toEqual(file);
    await expect(files.read('key-a', file.id, 4)).rejects.toThrow(code('payload_too_large'));
  });

  test('is not there when what is told behind its bytes is refused, nor are they', async () => {
    const { files, bytes } = await opened({ maxKeyFiles: 1, maxKeyBytes: 5 });
    const refused = files.create('key-a', bytesOf('hello'), () => Promise.reject(new Error('no')));
    await expect(refused).rejects.toThrow('no');
    expect(await bytes.ids()).toEqual([]);
    expect((await files.list('key-a', { limit: 10 })).items).toEqual([]);
    await keep(files, 'hello');
  });

  test("does not exist for another tenant, whatever is asked, and can't be placed by it", async () => {
    const { files, host } = await opened();
    const { id } = await keep(files, 'hello');
    const missing = code('not_found');
    await expect(files.get('key-b', id)).rejects.toThrow(missing);
    await expect(files.open('key-b', id)).rejects.toThrow(missing);
    await expect(files.read('key-b', id, 99)).rejects.toThrow(missing);
    await expect(files.remove('key-b', id)).rejects.toThrow(missing);
    const workspace = { path: '/ws', own: true };
    const mounts = [{ file_id: id, mount_path: '/mnt/a' }];
    await expect(files.place('key-b', mounts, workspace)).rejects.toThrow(missing);
    expect((await files.list('key-b', { limit: 9, among: [id] })).items).toEqual([]);
    expect(host.placed).toEqual([]);
    expect(await files.get('key-a', id)).toMatchObject({ id });
  });

  test('whose bytes were damaged is not given out', async () => {
    const { files, bytes } = await opened();
    const { id } = await keep(files, 'hello');
    await bytes.write(id, bytesOf('hell'), 100);
    await expect(files.open('key-a', id)).rejects.toThrow(code('storage_failed'));
    await bytes.remove(id);
    await expect(files.open('key-a', id)).rejects.toThrow(code('storage_failed'));
  });
});

describe('what a key may have', () => {
  test('is counted for each key, in files and in bytes, and given back by a deletion', async () => {
    const { files } = await opened({ maxKeyFiles: 2, maxKeyBytes: 10 });
    const first = await keep(files, '12345678');
    await expect(keep(files, '123')).rejects.toThrow(code('storage_quota_exceeded'));
    await keep(files, '12');
    await expect(keep(files, '')).rejects.toThrow(code('storage_quota_exceeded'));
    await keep(files, '1234567890', {}, 'key-b');
    await files.remove('key-a', first.id);
    await keep(files, '12345678');
  });

  test('counts what is on its way, piece by piece', async () => {
    const { files } = await opened({ maxKeyBytes: 10 });
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('12345678');
      begun.resolve();
      await gate.promise;
      yield Buffer.from('9');
    };
    const upload = files.create('key-a', slow(), async () => DESCRIPTION);
    await begun.promise;
    await expect(keep(files, '123')).rejects.toThrow(code('storage_quota_exceeded'));
    gate.resolve();
    expect((await upload).body.sizeBytes).toBe(9);
  });

  test('is counted again at the next start', async () => {
    const given = parts();
    const before = await opened({}, given);
    await keep(before.files, '12345678');
    const { files } = await opened({ maxKeyBytes: 10 }, given);
    await expect(keep(files, '123')).rejects.toThrow(code('storage_quota_exceeded'));
    await keep(files, '12');
  });
});

describe('a start', () => {
  test('removes bytes that no document speaks for, and keeps the others', async () => {
    const given = parts();
    const before = await opened({}, given);
    const kept = await keep(before.files, 'kept');
    const deleted = await keep(before.files, 'deleted');
    // As a server leaves it that died in the middle of a deletion, and of an upload.
    await given.store.remove({ kind: 'file', tenant: 'key-a', id: deleted.id });
    await given.bytes.write('file_unfinished', bytesOf('half'), 100);
    const { files } = await opened({}, given);
    expect(await given.bytes.ids()).toEqual([kept.id]);
    expect(Buffer.from((await files.read('key-a', kept.id, 9)).bytes).toString()).toBe('kept');
  });

  test('reads more files than one page holds', async () => {
    const given = parts();
    const before = await opened({ maxKeyFiles: 2_000 }, given);
    for (let count = 0; count < 1_001; count += 1) await keep(before.files, '');
    const { files } = await opened({ maxKeyFiles: 1_001 }, given);
    expect(await given.bytes.ids()).toHaveLength(1_001);
    await expect(keep(files, '')).rejects.toThrow(code('storage_quota_exceeded'));
  });
});

describe('a file that was sent for a time', () => {
  test('can be read until then, is shown after it, and its bytes go within a minute', async () => {
    const { files, bytes, host } = await opened({ maxKeyBytes: 5 });
    const { id, body } = await keep(files, 'hello', { expiresInMs: HOUR_MS });
    expect(body.expiresAt).toBe(new Date(Date.now() + HOUR_MS).toISOString());
    await pass(HOUR_MS - 1);
    await files.read('key-a', id, 5);
    await pass(1);
    const expired = code('file_expired');
    await expect(files.open('key-a', id)).rejects.toThrow(expired);
    const mounts = [{ file_id: id, mount_path: '/mnt/a' }];
    await expect(files.place('key-a', mounts, { path: '/ws', own: true })).rejects.toThrow(expired);
    expect(host.placed).toEqual([]);
    await pass(60_000);
    expect(await bytes.ids()).toEqual([]);
    expect(await files.get('key-a', id)).toMatchObject({ id });
    await keep(files, 'other');
    await files.remove('key-a', id);
    await expect(keep(files, 'x')).rejects.toThrow(code('storage_quota_exceeded'));
  });

  test('that is deleted before gives its bytes back once', async () => {
    const { files } = await opened({ maxKeyBytes: 5 });
    const { id } = await keep(files, 'hello', { expiresInMs: HOUR_MS });
    await files.remove('key-a', id);
    await keep(files, 'other');
    await pass(HOUR_MS + 60_000);
    await expect(keep(files, 'x')).rejects.toThrow(code('storage_quota_exceeded'));
  });

  test('goes also when the server starts after that time, or before', async () => {
    const given = parts();
    const before = await opened({}, given);
    const early = await keep(before.files, 'early', { expiresInMs: HOUR_MS });
    const late = await keep(before.files, 'late', { expiresInMs: 3 * HOUR_MS });
    before.files.close();
    await pass(2 * HOUR_MS);
    expect(await given.bytes.ids()).toHaveLength(2);
    const { files } = await opened({ maxKeyBytes: 4 }, given);
    expect(await given.bytes.ids()).toEqual([late.id]);
    await expect(files.open('key-a', early.id)).rejects.toThrow(code('file_expired'));
    await files.remove('key-a', early.id);
    await expect(keep(files, 'x')).rejects.toThrow(code('storage_quota_exceeded'));
    await pass(2 * HOUR_MS);
    expect(await given.bytes.ids()).toEqual([]);
    await keep(files, 'four');
  });
});

describe('files for a workspace', () => {
  test('are placed by the host, and are copies', async () => {
    const { files, host } = await opened();
    const a = await keep(files, 'aaa');
    const b = await keep(files, 'bb');
    const mounts = [
      { file_id: a.id, mount_path: '/mnt/a' },
      { file_id: b.id, mount_path: '/mnt/b' },
    ];
    await files.place('key-a', mounts, { path: '/ws', own: true });
    expect(host.placed).toEqual(['/ws/mnt/a', '/ws/mnt/b']);
    expect(host.placedBytes).toBe(5);
    await files.remove('key-a', a.id);
  });

  test('are none in a folder that is not of the session, or when one is missing', async () => {
    const { files, host } = await opened();
    const { id } = await keep(files, 'aaa');
    const mount = { file_id: id, mount_path: '/mnt/a' };
    await expect(files.place('key-a', [mount], { path: '/srv', own: false })).rejects.toThrow(
      code('unsupported_field'),
    );
    const missing = { file_id: 'file_1', mount_path: '/mnt/b' };
    await expect(
      files.place('key-a', [mount, missing], { path: '/ws', own: true }),
    ).rejects.toThrow(code('not_found'));
    expect(host.placed).toEqual([]);
    await files.place('key-a', [], { path: '/srv', own: false });
  });
});
