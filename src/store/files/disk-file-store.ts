import { constants } from 'node:fs';
import { chmod, mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { FileStore, OpenFile, WrittenFile } from '../../contracts/file-store.ts';
import { errorText, RoundhouseError } from '../../errors.ts';
import { checkFileId, FileMeter, isFileId } from '../file-meter.ts';

/** At the end of the name of a file that is being written; no id has a dot. */
const UNFINISHED = '.part';

/** What is read at once: a download holds about this much of memory. */
const READ_BYTES = 65_536;

/**
 * Files in a folder that only the server's user can look into, each under its id. A write goes into a file of its own that
 * takes its name when everything has reached the disk.
 */
export class DiskFileStore implements FileStore {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Makes the folder unless it is there. `storage_failed` when it can't be made. */
  static async open(folder: string): Promise<DiskFileStore> {
    await onDisk(`The folder ${folder} can't be made or is not ours`, async () => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await chmod(folder, 0o700);
    });
    return new DiskFileStore(folder);
  }

  async write(
    id: string,
    source: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<WrittenFile> {
    const path = this.#pathOf(id);
    const unfinished = `${path}${UNFINISHED}`;
    const failed = 'The file could not be written';
    const meter = new FileMeter(maxBytes);
    const handle = await onDisk(failed, () => open(unfinished, 'wx', 0o600));
    try {
      for await (const piece of source) {
        meter.add(piece);
        // Also where a piece takes several writes.
        await onDisk(failed, () => handle.appendFile(piece));
      }
      await onDisk(failed, async () => {
        await handle.sync();
        await handle.close();
        await rename(unfinished, path);
        await syncFolder(this.#folder);
      });
    } catch (error) {
      // What can't be removed now is removed at the next start; why the write failed is what the caller must know.
      await handle.close().catch(() => {});
      await rm(unfinished, { force: true }).catch(() => {});
      throw error;
    }
    return meter.total();
  }

  async open(id: string): Promise<OpenFile | undefined> {
    const path = this.#pathOf(id);
    return onDisk('The file could not be opened', async () => {
      const handle = await openIfThere(path);
      if (handle === undefined) return undefined;
      try {
        return new DiskFile(handle, (await handle.stat()).size);
      } catch (error) {
        await handle.close();
        throw error;
      }
    });
  }

  async remove(id: string): Promise<void> {
    const path = this.#pathOf(id);
    await onDisk('The file could not be removed', async () => {
      await rm(`${path}${UNFINISHED}`, { force: true });
      await rm(path, { force: true });
    });
  }

  async ids(): Promise<string[]> {
    const names = await onDisk('The files could not be listed', () => readdir(this.#folder));
    const ids = names
      .map((name) => (name.endsWith(UNFINISHED) ? name.slice(0, -UNFINISHED.length) : name))
      .filter(isFileId);
    return [...new Set(ids)];
  }

  #pathOf(id: string): string {
    checkFileId(id);
    return join(this.#folder, id);
  }
}

class DiskFile implements OpenFile {
  readonly sizeBytes: number;
  readonly #handle: FileHandle;

  constructor(handle: FileHandle, sizeBytes: number) {
    this.#handle = handle;
    this.sizeBytes = sizeBytes;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (true) {
        const { bytesRead, buffer } = await onDisk('The file could not be read', () =>
          this.#handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, null),
        );
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await this.close();
    }
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Names in a folder survive a loss of power when the folder has been written too. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function onDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw new RoundhouseError(
      'storage_failed',
      `${what} (${codeOf(error)}). Check the disk space and the rights of the data directory; nothing unacknowledged was kept.`,
      { cause: error },
    );
  }
}

/** The system's code: its text has the path in it, which is no business of a client. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : errorText(error);
}
