import { chmod, lstat, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';

import { RoundhouseError, errorText } from '../errors.ts';

/** Only the server's own user may look in: transcripts, credentials and prompts stand there. */
const PRIVATE = 0o700;

/** Names of our folders are ids that we mint; anything else is not ours, and can't lead out of the parent. */
const OWN_NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/;

/** Whether `name` can be the name of a folder or record of ours. */
export function isOwnName(name: string): boolean {
  return OWN_NAME.test(name);
}

/** Makes `path` and its parents where they are missing, and `path` private. `storage_failed` says what to do. */
export async function makePrivateRoot(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: PRIVATE });
    await chmod(path, PRIVATE);
  } catch (error) {
    throw new RoundhouseError(
      'storage_failed',
      `The folder ${path} can't be made or is not ours (${errorText(error)}): give this user the right to write there, or choose another data directory with --data-dir.`,
      { cause: error },
    );
  }
}

/** Makes the empty, private folder `name` in `parent`. Fails when there is one: ids are never used twice. */
export async function makePrivateFolder(parent: string, name: string): Promise<string> {
  if (!isOwnName(name)) {
    throw new RoundhouseError('internal', `A folder can't be named ${JSON.stringify(name)}.`);
  }
  const path = join(parent, name);
  try {
    await mkdir(path, { mode: PRIVATE });
  } catch (error) {
    throw new RoundhouseError('storage_failed', `The folder ${path} could not be made.`, {
      cause: error,
    });
  }
  return path;
}

/** Names of the folders in `parent` that can be ours. A symlink is none. */
export async function ownFolders(parent: string): Promise<string[]> {
  const entries = await readdir(parent, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory() && isOwnName(entry.name))
    .map((entry) => entry.name);
}

/**
 * Removes a folder of ours that stands directly in `parent`, with all that is in it; links in it are removed, never
 * followed. Returns whether there was one; any other path is left alone.
 */
export async function removeOwnFolder(parent: string, path: string): Promise<boolean> {
  const target = resolve(path);
  if (dirname(target) !== resolve(parent) || !isOwnName(basename(target))) return false;
  if (!(await isRealFolder(target))) return false;
  try {
    await rm(target, { recursive: true, force: true, maxRetries: 3 });
  } catch {
    // Agents leave folders without the right to write behind (Go's module cache is one), which stop any removal.
    await makeRemovable(target);
    await rm(target, { recursive: true, force: true, maxRetries: 3 });
  }
  return true;
}

/** Removes a folder in which there is nothing. Returns whether it did. */
export async function removeIfEmpty(path: string): Promise<boolean> {
  try {
    await rmdir(path);
    return true;
  } catch {
    return false;
  }
}

async function isRealFolder(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isDirectory();
  } catch {
    return false; // Gone already.
  }
}

async function makeRemovable(folder: string): Promise<void> {
  await chmod(folder, PRIVATE);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await makeRemovable(join(folder, entry.name));
  }
}
