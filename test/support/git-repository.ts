import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Runs git in a folder, as nobody in particular and with no configuration but the folder's own; what it prints. */
export async function gitIn(folder: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', args, {
    cwd: folder,
    env: {
      PATH: process.env['PATH'],
      HOME: '/nonexistent',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'A',
      GIT_AUTHOR_EMAIL: 'a@example.com',
      GIT_COMMITTER_NAME: 'A',
      GIT_COMMITTER_EMAIL: 'a@example.com',
    },
  });
  return stdout.trim();
}

/**
 * Makes a repository with a file `a.txt`, which says `one` at the tag `v1`, `two` (or another text) on `main`, which is
 * checked out, and at the annotated tag `v2`, and `three` on `feature`.
 */
export async function makeRepository(folder: string, text = 'two'): Promise<string> {
  await mkdir(join(folder, 'folder'), { recursive: true });
  await gitIn(folder, 'init', '--quiet', '--initial-branch=main');
  const commit = async (content: string): Promise<void> => {
    await writeFile(join(folder, 'a.txt'), content);
    await writeFile(join(folder, 'folder/b.txt'), content);
    await gitIn(folder, 'add', '.');
    await gitIn(folder, 'commit', '--quiet', `--message=${content}`);
  };
  await commit('one');
  await gitIn(folder, 'tag', 'v1');
  await commit(text);
  await gitIn(folder, 'tag', '--annotate', '--message=x', 'v2');
  await gitIn(folder, 'checkout', '--quiet', '-b', 'feature');
  await commit('three');
  await gitIn(folder, 'checkout', '--quiet', 'main');
  return folder;
}
