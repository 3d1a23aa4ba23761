import { constants } from 'node:fs';
import { mkdir, open, rmdir, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

import type { FileToPlace } from '../contracts/host.ts';
import { MOUNT_PATH_RULE, mountSegments } from '../definitions/mount-path.ts';
import { RoundhouseError } from '../errors.ts';

const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** What the system says where something stands that is no folder, or is a symlink. */
const IN_THE_WAY = ['EEXIST', 'ELOOP', 'ENOTDIR', 'EISDIR'];

/** A folder that is held open, and how to name what is in it. */
interface Folder {
  readonly handle: FileHandle;
  /** Ends in a separator. On Linux by the open folder itself, whatever its path may lead to by now. */
  readonly prefix: string;
}

/** What was made, so that it can be taken away again. */
interface Made {
  readonly kind: 'folder' | 'file';
  readonly segments: readonly string[];
}

/** See {@link Host.placeFiles}. */
export async function placeFiles(workspace: string, files: readonly FileToPlace[]): Promise<void> {
  const made: Made[] = [];
  try {
    for (const file of files) {
      const segments = segmentsOf(file);
      await onDisk(file, () => place(workspace, segments, file, made));
    }
  } catch (error) {
    for (const each of made.toReversed()) await takeAway(workspace, each);
    throw error;
  }
}

function segmentsOf({ field, mountPath }: FileToPlace): readonly string[] {
  const segments = mountSegments(mountPath);
  if (segments !== undefined) return segments;
  throw new RoundhouseError(
    'invalid_request',
    `${field}: expected ${MOUNT_PATH_RULE}, got ${JSON.stringify(mountPath.slice(0, 200))}`,
  );
}

async function place(
  workspace: string,
  segments: readonly string[],
  file: FileToPlace,
  made: Made[],
): Promise<void> {
  const parents = segments.slice(0, -1);
  const makeMissing = async (path: string, depth: number): Promise<void> => {
    try {
      await mkdir(path, { mode: 0o700 });
      made.push({ kind: 'folder', segments: segments.slice(0, depth) });
    } catch (error) {
      // Opened next: it may be a folder.
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  };
  await within(workspace, parents, makeMissing, async ({ prefix }) => {
    const handle = await open(`${prefix}${segments.at(-1)}`, NEW_FILE, 0o600);
    made.push({ kind: 'file', segments });
    try {
      for await (const piece of await file.open()) await handle.appendFile(piece);
    } finally {
      await handle.close();
    }
  });
}

/** What can't be taken away stays; why the placing failed is what the caller must know. */
async function takeAway(workspace: string, { kind, segments }: Made): Promise<void> {
  try {
    await within(workspace, segments.slice(0, -1), undefined, ({ prefix }) => {
      const path = `${prefix}${segments.at(-1)}`;
      return kind === 'file' ? unlink(path) : rmdir(path);
    });
  } catch {
    // Somebody else has put something there, or taken it.
  }
}

/** Goes down from the workspace, one folder at a time and through no symlink, and works in the last one. */
async function within(
  workspace: string,
  parents: readonly string[],
  before: ((path: string, depth: number) => Promise<void>) | undefined,
  work: (folder: Folder) => Promise<void>,
): Promise<void> {
  let folder = await openFolder(workspace);
  try {
    for (const [index, name] of parents.entries()) {
      const path = `${folder.prefix}${name}`;
      await before?.(path, index + 1);
      const next = await openFolder(path, join(workspace, ...parents.slice(0, index + 1)));
      await folder.handle.close();
      folder = next;
    }
    await work(folder);
  } finally {
    await folder.handle.close();
  }
}

/** `name`: the path of the folder where the system can't name an open one. */
async function openFolder(path: string, name = path): Promise<Folder> {
  const handle = await open(path, OPEN_FOLDER);
  const prefix = process.platform === 'linux' ? `/proc/self/fd/${handle.fd}/` : `${name}/`;
  return { handle, prefix };
}

async function onDisk({ field, mountPath }: FileToPlace, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (error instanceof RoundhouseError) throw error;
    const code = codeOf(error);
    if (code !== undefined && IN_THE_WAY.includes(code)) {
      throw new RoundhouseError(
        'invalid_request',
        `${field}: expected a place where nothing stands and folders (no links) on the way, got ${JSON.stringify(mountPath)} (${code}); choose another one`,
        { cause: error },
      );
    }
    throw new RoundhouseError(
      'storage_failed',
      `The file could not be placed at ${JSON.stringify(mountPath)} of the workspace (${code ?? 'an error without a code'}).`,
      { cause: error },
    );
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
