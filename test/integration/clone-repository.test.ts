import {
  access,
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Host } from '../../src/contracts/host.ts';
import { RoundhouseError } from '../../src/errors.ts';
import { cloneRepository } from '../../src/host/clone-repository.ts';
import { linuxProcessTable } from '../../src/host/linux-proc.ts';
import { createHost } from '../../src/host/create-host.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { failsWith } from '../conformance/session-samples.ts';
import { gitIn, makeRepository } from '../support/git-repository.ts';

let root: string;
let source: string;
let host: Host;
let workspace: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'roundhouse-clone-'));
  const made = root;
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  source = await makeRepository(join(root, 'source'));
  host = await createHost({ dataDir: join(root, 'data'), telemetry: NO_TELEMETRY });
  workspace = await host.createWorkspace('sesn_1');
});

/** Clones the source, or another folder, at a ref. */
function clone(ref: string | null = null, path = source): Promise<void> {
  return host.cloneRepository(workspace, { path, ref });
}

/** A refusal that names the field. */
async function refused(promise: Promise<void>, field: 'path' | 'ref'): Promise<void> {
  await expect(promise).rejects.toThrow(failsWith('invalid_request'));
  await expect(promise).rejects.toThrow(`roundhouse.workspace.${field}: `);
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Makes a folder, with all that is in it, somebody else's. */
async function giveAway(folder: string): Promise<void> {
  for (const path of ['', ...(await readdir(folder, { recursive: true }))]) {
    await chown(join(folder, path), 65_534, 65_534);
  }
}

/** A program of the same text, under another name. */
async function copyOf(path: string, name: string): Promise<string> {
  const copy = join(root, name);
  await writeFile(copy, await readFile(path), { mode: 0o755 });
  return copy;
}

/** A git that starts another process, says where it is, and hangs. */
async function hangingGit(trap: string): Promise<string> {
  const folder = join(root, 'bin');
  await mkdir(folder);
  const script = `#!/bin/sh\n${trap}\nsleep 1000 &\necho "$$ $!" > '${root}/pids.tmp'\nmv '${root}/pids.tmp' '${root}/pids'\nwait\nwait\n`;
  await writeFile(join(folder, 'git'), script, { mode: 0o755 });
  return `${folder}:/usr/bin:/bin`;
}

async function pids(): Promise<number[]> {
  const file = join(root, 'pids');
  await vi.waitFor(() => access(file), { timeout: 10_000 });
  return (await readFile(file, 'utf8')).trim().split(' ').map(Number);
}

function parts(path: string) {
  return { spawnPrefix: [], path, log: NO_TELEMETRY.log };
}

/** Those that run; dead ones that nobody has asked for yet do not. */
async function alive(started: number[]): Promise<number[]> {
  const table = linuxProcessTable();
  const since = await Promise.all(started.map((pid) => table.startedAt(pid)));
  return started.filter((_pid, index) => since[index] !== undefined);
}

describe('a clone', () => {
  it('has what is checked out in the repository, its history and its other branches, and no way back', async () => {
    await clone();
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('two');
    expect(await gitIn(workspace, 'log', '--format=%s', 'origin/feature')).toBe('three\ntwo\none');
    expect(await gitIn(workspace, 'remote')).toBe('');
    expect(await gitIn(workspace, 'status', '--porcelain', '--branch')).toContain('## main');
    expect((await stat(workspace)).mode & 0o777).toBe(0o700);
    const config = await readFile(join(workspace, '.git/config'), 'utf8');
    expect(config).not.toContain(root);
  });

  it.each([
    ['a branch', 'feature', 'three'],
    ['a tag', 'v1', 'one'],
    ['an annotated tag', 'v2', 'two'],
  ])('is made at %s', async (_kind, ref, text) => {
    await clone(ref);
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe(text);
  });

  it('is made at a commit, by its full id, which no ref has to lead to', async () => {
    const id = await gitIn(source, 'rev-parse', 'v1');
    await gitIn(source, 'tag', '--delete', 'v1');
    await clone(id);
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('one');
    expect(await gitIn(workspace, 'rev-parse', 'HEAD')).toBe(id);
  });

  it('is made of a bare repository, of one without a commit, and of one with quotes in its path', async () => {
    const bare = join(root, 'bare.git');
    await gitIn(source, 'clone', '--quiet', '--bare', source, bare);
    await clone('feature', bare);
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('three');
    const odd = join(root, `it's "$(touch ${join(root, 'ran')})" -- %0a`);
    await mkdir(join(root, `it's "$(touch ${root}`), { recursive: true });
    await mkdir(join(odd, '..'), { recursive: true });
    await rename(source, odd);
    workspace = await host.createWorkspace('sesn_2');
    await clone('v1', odd);
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('one');
    expect(await isThere(join(root, 'ran'))).toBe(false);
    const empty = join(root, 'empty');
    await mkdir(empty);
    await gitIn(empty, 'init', '--quiet');
    workspace = await host.createWorkspace('sesn_3');
    await clone(null, empty);
    expect(await readdir(workspace)).toEqual(['.git']);
  });

  it('shares no file with the repository', async () => {
    await gitIn(source, 'repack', '--quiet', '-a', '-d');
    await clone();
    const packs = join('.git', 'objects', 'pack');
    const [pack = ''] = (await readdir(join(workspace, packs))).filter((name) =>
      name.endsWith('.pack'),
    );
    const [here, there] = await Promise.all(
      [workspace, source].map((folder) => stat(join(folder, packs, pack))),
    );
    expect(here?.nlink).toBe(1);
    expect(here?.ino).not.toBe(there?.ino);
  });

  it('is made of a repository of another user, which the operator has allowed', async ({
    skip,
  }) => {
    skip(process.getuid?.() !== 0, 'only root can give files to another user');
    await giveAway(source);
    await clone('feature');
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('three');
  });

  it('has nothing that is not committed, and no hook and no setting of the repository', async () => {
    await writeFile(join(source, 'a.txt'), 'changed');
    await writeFile(join(source, 'untracked.txt'), 'x');
    await writeFile(join(source, '.git/hooks/post-checkout'), '#!/bin/sh\nexit 1\n');
    await chmod(join(source, '.git/hooks/post-checkout'), 0o755);
    await gitIn(source, 'config', 'user.name', 'Somebody');
    await clone();
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('two');
    expect(await isThere(join(workspace, 'untracked.txt'))).toBe(false);
    expect(await isThere(join(workspace, '.git/hooks'))).toBe(false);
    expect(await gitIn(workspace, 'config', '--local', '--list')).not.toContain('user.name');
  });

  it('is not made of what is no repository, or is not all there', async () => {
    const plain = join(root, 'plain');
    await mkdir(plain);
    await refused(clone(null, plain), 'path');
    await refused(clone(null, join(root, 'nothing')), 'path');
    await refused(clone(null, join(source, 'folder')), 'path');
    const shallow = join(root, 'shallow');
    await gitIn(root, 'clone', '--quiet', '--depth=1', `file://${source}`, shallow);
    await refused(clone(null, shallow), 'path');
    await rm(join(source, '.git/HEAD'));
    await refused(clone('main'), 'path');
    await writeFile(join(source, '.git/HEAD'), 'no head');
    await refused(clone('main'), 'path');
    await expect(clone()).rejects.toThrow(failsWith('workspace_unavailable'));
    expect(await readdir(workspace)).toEqual([]);
  });

  it('is not made at a ref that is not there, or is none', async () => {
    for (const ref of [
      'nowhere',
      'a'.repeat(40),
      'HEAD~1',
      'm*n',
      '--upload-pack=touch ran',
      '-b',
      '',
    ]) {
      await refused(clone(ref), 'ref');
    }
    const blob = await gitIn(source, 'rev-parse', 'HEAD:a.txt');
    workspace = await host.createWorkspace('sesn_2');
    await expect(clone(blob)).rejects.toThrow(blob);
  });
});

describe('a repository that is out for more', () => {
  /** A repository that nobody is to see. */
  let secret: string;

  beforeEach(async () => {
    secret = await makeRepository(join(root, 'secret'), 'secret');
  });

  it.each<[string, () => Promise<void>]>([
    ['a .git file', () => writeFile(join(source, '.git'), `gitdir: ${secret}/.git\n`)],
    ['a .git link', () => symlink(join(secret, '.git'), join(source, '.git'))],
  ])('does not lead out by %s', async (_how, lead) => {
    await rm(join(source, '.git'), { recursive: true });
    await lead();
    await refused(clone(), 'path');
    await expect(clone()).rejects.toThrow('leads elsewhere');
    expect(await readdir(workspace)).toEqual([]);
  });

  it.each<[string, (gitDir: string) => Promise<void>]>([
    ['commondir', (gitDir) => writeFile(join(gitDir, 'commondir'), `${secret}/.git\n`)],
    [
      'alternates',
      (gitDir) => writeFile(join(gitDir, 'objects/info/alternates'), `${secret}/.git/objects\n`),
    ],
    ['a .git within', (gitDir) => writeFile(join(gitDir, '.git'), `gitdir: ${secret}/.git\n`)],
    ['a file that says it is shallow', (gitDir) => writeFile(join(gitDir, 'shallow'), '')],
    [
      'a link in the place of the objects',
      async (gitDir) => {
        await rm(join(gitDir, 'objects'), { recursive: true });
        await symlink(join(secret, '.git/objects'), join(gitDir, 'objects'));
      },
    ],
  ])('does not lead out by %s', async (_how, lead) => {
    await lead(join(source, '.git'));
    await refused(clone(), 'path');
    expect(await readdir(workspace)).toEqual([]);
  });

  it('does not lead out by links among its objects', async () => {
    await gitIn(secret, 'repack', '--quiet', '-a', '-d');
    const packs = join(secret, '.git/objects/pack');
    for (const name of await readdir(packs)) {
      await symlink(join(packs, name), join(source, '.git/objects/pack', name));
    }
    const id = await gitIn(secret, 'rev-parse', 'main');
    await writeFile(join(source, '.git/refs/heads/main'), `${id}\n`);
    await expect(clone()).rejects.toThrow(failsWith('workspace_unavailable'));
    expect(await isThere(join(workspace, 'a.txt'))).toBe(false);
  });

  it('is not mistaken for the one beside it that has its name', async () => {
    const named = join(root, 'project');
    await rename(secret, join(root, 'project.git'));
    await mkdir(join(named, 'objects'), { recursive: true });
    await mkdir(join(named, 'refs'));
    await writeFile(join(named, 'HEAD'), 'no head');
    await expect(clone(null, named)).rejects.toThrow(failsWith('workspace_unavailable'));
    await refused(clone('main', named), 'path');
    expect(await isThere(join(workspace, 'a.txt'))).toBe(false);
  });

  it('runs nothing of what its configuration and its hooks say', async () => {
    const ran = join(root, 'ran');
    const trap = join(root, 'trap.sh');
    await writeFile(trap, `#!/bin/sh\ntouch '${ran}'\nexec "$@"\n`);
    await chmod(trap, 0o755);
    const settings = {
      'core.fsmonitor': trap,
      'core.hooksPath': root,
      'core.sshCommand': trap,
      'core.gitProxy': trap,
      'core.alternateRefsCommand': trap,
      'uploadpack.packObjectsHook': trap,
      'filter.evil.smudge': trap,
      'filter.evil.process': trap,
      'diff.external': trap,
      'credential.helper': trap,
      // A clone that lacks objects fetches them, by whatever its configuration says.
      'extensions.partialClone': 'origin',
      'remote.origin.promisor': 'true',
      'remote.origin.url': `ext::${trap} %S`,
      'remote.origin.uploadpack': trap,
      'protocol.ext.allow': 'always',
    };
    await writeFile(join(source, '.gitattributes'), '* filter=evil\n');
    await gitIn(source, 'add', '.');
    await gitIn(source, 'commit', '--quiet', '--message=four');
    await gitIn(source, 'tag', '--annotate', '--message=x', 'v3');
    for (const name of ['pre-upload-pack', 'post-checkout', 'reference-transaction']) {
      await rename(await copyOf(trap, name), join(source, '.git/hooks', name));
    }
    await gitIn(source, 'config', 'core.repositoryFormatVersion', '1');
    for (const [name, value] of Object.entries(settings)) {
      await gitIn(source, 'config', name, value);
    }
    await clone('v3');
    expect(await readFile(join(workspace, 'a.txt'), 'utf8')).toBe('two');
    expect(await isThere(ran)).toBe(false);

    // Now one that lacks what its tag names.
    const gone = await gitIn(source, 'rev-parse', 'v3');
    await rm(join(source, '.git/objects', gone.slice(0, 2), gone.slice(2)));
    workspace = await host.createWorkspace('sesn_2');
    await expect(clone('v3')).rejects.toBeInstanceOf(RoundhouseError);
    await expect(clone()).rejects.toBeInstanceOf(RoundhouseError);
    expect(await isThere(ran)).toBe(false);
  });

  it('brings no submodule', async () => {
    await gitIn(
      source,
      '-c',
      'protocol.file.allow=always',
      'submodule',
      '--quiet',
      'add',
      secret,
      'sub',
    );
    await gitIn(source, 'commit', '--quiet', '--message=sub');
    await clone();
    expect(await readdir(join(workspace, 'sub'))).toEqual([]);
  });
});

describe('a clone that is not wanted any more', () => {
  it('ends with the signal, and all its processes have gone by then', async () => {
    const path = await hangingGit('');
    const leaving = new AbortController();
    const cloned = cloneRepository(
      workspace,
      { path: source, ref: null },
      { ...parts(path), signal: leaving.signal },
    );
    const started = await pids();
    const reason = new RoundhouseError('draining', 'The server closes.');
    expect(await alive(started)).toEqual(started);
    leaving.abort(reason);
    await expect(cloned).rejects.toBe(reason);
    expect(await alive(started)).toEqual([]);
    await expect(
      cloneRepository(
        workspace,
        { path: source, ref: null },
        { ...parts(path), signal: leaving.signal },
      ),
    ).rejects.toBe(reason);
  });

  it('ends with its time, also where git does not hear', async () => {
    const path = await hangingGit("trap '' TERM");
    const cloned = cloneRepository(
      workspace,
      { path: source, ref: null },
      { ...parts(path), limitMs: 500 },
    );
    cloned.catch(() => {});
    const started = await pids();
    await expect(cloned).rejects.toThrow(failsWith('workspace_unavailable'));
    expect(await alive(started)).toEqual([]);
  });

  it('is not begun without git', async () => {
    await expect(
      cloneRepository(workspace, { path: source, ref: null }, parts(root)),
    ).rejects.toThrow(failsWith('unsupported_field'));
  });
});

it('a clone that the death of a server broke off goes at the next start, what is in other folders stays', async () => {
  const gone = await host.createWorkspace('sesn_2');
  await writeFile(join(gone, 'half'), '');
  await writeFile(`${gone}.unfinished`, '');
  await writeFile(join(workspace, 'whole'), '');
  const next = await createHost({ dataDir: join(root, 'data'), telemetry: NO_TELEMETRY });
  expect(await next.sweepWorkspaces(() => Promise.resolve(false))).toBe(1);
  expect(await readdir(join(workspace, '..'))).toEqual(['sesn_1']);
  expect(await readdir(workspace)).toEqual(['whole']);
});

it('a clone leaves no word of itself when it is done, or has failed', async () => {
  await clone();
  await refused(clone('nowhere'), 'ref');
  expect(await readdir(join(workspace, '..'))).toEqual(['sesn_1']);
});
