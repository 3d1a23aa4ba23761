import { access, rm, writeFile } from 'node:fs/promises';

import { RoundhouseError } from '../errors.ts';

/** Beside the folder, because within it stands a project of somebody; none of our folders can be called so. */
const SUFFIX = '.unfinished';

/**
 * Fills a folder of ours, and leaves word beside it as long as that goes on: when this host dies, the next one knows that
 * what is there is of no worth to anybody.
 */
export async function whileUnfinished<T>(folder: string, fill: () => Promise<T>): Promise<T> {
  try {
    await writeFile(folder + SUFFIX, '', { mode: 0o600 });
  } catch (error) {
    throw new RoundhouseError('storage_failed', `The folder ${folder} can't be filled.`, {
      cause: error,
    });
  }
  try {
    return await fill();
  } finally {
    await forgetUnfinished(folder);
  }
}

/** Whether a host died while it filled the folder. */
export async function isUnfinished(folder: string): Promise<boolean> {
  try {
    await access(folder + SUFFIX);
    return true;
  } catch {
    return false;
  }
}

/** Harmless when there is no word of it. */
export async function forgetUnfinished(folder: string): Promise<void> {
  await rm(folder + SUFFIX, { force: true });
}
