import { lstat } from 'node:fs/promises';
import { join } from 'node:path';

/** What a repository has, each of it there and no link. */
const PARTS = [
  ['HEAD', 'file'],
  ['objects', 'folder'],
  ['refs', 'folder'],
] as const;

/** What leads git out of a folder, or away from copying, and what to do about it. */
const LEADS_OUT = {
  commondir: 'one whose data stand elsewhere; name the repository that has them',
  'objects/info/alternates':
    'one that borrows objects of another repository; run git repack -a -d there and remove objects/info/alternates',
  shallow: 'a shallow one; complete it with git fetch --unshallow',
  // What git would take for the repository in the place of this one.
  '.git': 'one with a .git of its own within; remove that',
} as const;

/** The git directory of a repository; or what stands there instead, as the end of a sentence that begins with "got". */
export type FoundRepository = { readonly gitDir: string } | { readonly problem: string };

/**
 * Looks for the repository that stands in a folder, as its `.git` or as the folder itself. It must be all there: whoever
 * can write into an allowed folder could lead git to any other repository of the machine by a link or a line in a file.
 */
export async function findRepository(folder: string): Promise<FoundRepository> {
  const dotGit = join(folder, '.git');
  const kind = await kindOf(dotGit);
  if (kind === 'file' || kind === 'other') {
    return {
      problem:
        'one whose .git leads elsewhere, as in a worktree or a submodule; name the repository itself',
    };
  }
  const gitDir = kind === 'folder' ? dotGit : folder;
  for (const [part, expected] of PARTS) {
    if ((await kindOf(join(gitDir, part))) !== expected) return { problem: 'a folder without one' };
  }
  for (const [name, problem] of Object.entries(LEADS_OUT)) {
    if ((await kindOf(join(gitDir, name))) !== undefined) return { problem };
  }
  return { gitDir };
}

/** Undefined when nothing is there, or not for this user. A link is never followed. */
async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | undefined> {
  try {
    const found = await lstat(path);
    if (found.isFile()) return 'file';
    return found.isDirectory() ? 'folder' : 'other';
  } catch {
    return undefined;
  }
}
