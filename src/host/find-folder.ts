import { access, constants, realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';

import type { FoundFolder } from '../contracts/host.ts';

/** See {@link Host.findFolder}. `ownData` is the host's own folder, which is nobody's workspace even below an allowed one. */
export async function findFolder(
  path: string,
  allowed: readonly string[],
  ownData: string,
): Promise<FoundFolder> {
  if (!isAbsolute(path)) return { found: 'relative' };
  const roots = (await Promise.all(allowed.map(realPath))).filter((root) => root !== undefined);
  const real = await realPath(path);
  if (real === undefined) {
    // Where it would stand if it were there; of other places nothing is told.
    const named = resolve(path);
    const known = [...allowed.map((root) => resolve(root)), ...roots];
    return { found: known.some((root) => isWithin(named, root)) ? 'nothing' : 'outside' };
  }
  if (!roots.some((root) => isWithin(real, root))) return { found: 'outside' };
  if (isWithin(real, (await realPath(ownData)) ?? ownData)) return { found: 'own' };
  const there = await stat(real).catch(() => undefined);
  if (there?.isDirectory() === false) return { found: 'no_folder' };
  return there !== undefined && (await mayEnter(real))
    ? { found: 'folder', path: real }
    : { found: 'nothing' };
}

/** Undefined when nothing is there, or not for this user. */
async function realPath(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}

async function mayEnter(folder: string): Promise<boolean> {
  try {
    await access(folder, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function isWithin(path: string, folder: string): boolean {
  const rest = relative(folder, path);
  return rest === '' || (rest !== '..' && !rest.startsWith(`..${sep}`) && !isAbsolute(rest));
}
