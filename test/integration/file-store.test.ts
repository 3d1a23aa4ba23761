import { mkdtemp, readdir, readlink, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DiskFileStore } from '../../src/store/files/disk-file-store.ts';
import { MemoryFileStore } from '../../src/store/memory/memory-file-store.ts';
import { describeFileStore, pieces } from '../conformance/file-store.ts';
import { failsWith } from '../conformance/session-samples.ts';

const ID = 'file_00000000000000000000000a';

describeFileStore('memory', async () => ({ store: new MemoryFileStore() }));

describeFileStore('disk', async () => {
  const folder = await newFolder();
  return {
    store: await DiskFileStore.open(folder),
    reopen: () => DiskFileStore.open(folder),
  };
});

describe('files on disk', () => {
  it('are for the user of the server only', async () => {
    const folder = await newFolder();
    const store = await DiskFileStore.open(folder);
    await store.write(ID, pieces(['secret']), 100);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, ID))).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual([ID]);
  });

  it('are told apart from what a dead process has left, which is found and removed', async () => {
    const folder = await newFolder();
    const store = await DiskFileStore.open(folder);
    await writeFile(join(folder, `${ID}.part`), 'half');
    await writeFile(join(folder, 'somebody else.txt'), '');
    expect(await store.open(ID)).toBeUndefined();
    expect(await store.ids()).toEqual([ID]);
    await store.remove(ID);
    expect(await readdir(folder)).toEqual(['somebody else.txt']);
  });

  it('are never reached through a link', async () => {
    const folder = await newFolder();
    const store = await DiskFileStore.open(folder);
    await symlink('/etc/passwd', join(folder, ID));
    await expect(store.open(ID)).rejects.toThrow(failsWith('storage_failed'));
  });

  it.runIf(process.platform === 'linux')(
    'are not open any more once they are read, closed, left or have failed',
    async () => {
      const folder = await newFolder();
      const store = await DiskFileStore.open(folder);
      await store.write(ID, pieces(['x'.repeat(200_000)]), 1_000_000);
      for (let round = 0; round < 3; round += 1) {
        for await (const piece of (await store.open(ID)) ?? []) {
          if (round === 0 && piece.byteLength > 0) break;
        }
        await (await store.open(ID))?.close();
        await expect(store.write('too_large', pieces(['abc']), 1)).rejects.toThrow(/too large/);
      }
      expect(await openFilesIn(folder)).toEqual([]);
    },
  );

  it('say what to do where the disk refuses', async () => {
    const folder = await newFolder();
    const store = await DiskFileStore.open(folder);
    await rm(folder, { recursive: true });
    const failure = await store.write(ID, pieces(['a']), 10).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'storage_failed',
      message: expect.stringMatching(/^The file could not be written \(ENOENT\)\. Check the disk/),
    });
    const file = join(await newFolder(), 'file');
    await writeFile(file, '');
    await expect(DiskFileStore.open(join(file, 'files'))).rejects.toThrow(
      failsWith('storage_failed'),
    );
  });
});

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-files-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** What this process has open below a folder. */
async function openFilesIn(folder: string): Promise<string[]> {
  const descriptors = await readdir('/proc/self/fd');
  const targets = await Promise.all(
    descriptors.map((each) => readlink(`/proc/self/fd/${each}`).catch(() => '')),
  );
  return targets.filter((target) => target.startsWith(folder));
}
