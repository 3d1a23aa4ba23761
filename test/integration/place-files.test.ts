import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { FileToPlace, Host } from '../../src/contracts/host.ts';
import { RoundhouseError } from '../../src/errors.ts';
import { createHost } from '../../src/host/create-host.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { pieces } from '../conformance/file-store.ts';
import { failsWith } from '../conformance/session-samples.ts';

let root: string;
const FIELD = 'resources.0.mount_path';

let host: Host;
let workspace: string;

beforeEach(async () => {
  const made = await mkdtemp(join(tmpdir(), 'roundhouse-place-'));
  onTestFinished(() => rm(made, { recursive: true, force: true }));
  root = made;
  host = await createHost({ dataDir: join(root, 'data'), telemetry: NO_TELEMETRY });
  workspace = await host.createWorkspace('sesn_1');
});

function file(mountPath: string, text = 'the text'): FileToPlace {
  return { mountPath, field: FIELD, open: async () => pieces([text.slice(0, 3), text.slice(3)]) };
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('half');
  throw new RoundhouseError('storage_failed', 'The disk is gone.');
}

/** Everything below a folder, links not followed. */
async function tree(folder: string): Promise<string[]> {
  return (await readdir(folder, { recursive: true })).toSorted();
}

describe('files in a workspace', () => {
  it('stand where their mount path says, with the workspace as its root, for this user only', async () => {
    await host.placeFiles(workspace, [
      file('/mnt/session/uploads/a.csv', 'one'),
      file('/mnt/session/uploads/b.csv', 'two'),
      file('/workspace/ä 🚂.txt', ''),
    ]);
    expect(await tree(workspace)).toEqual([
      'mnt',
      'mnt/session',
      'mnt/session/uploads',
      'mnt/session/uploads/a.csv',
      'mnt/session/uploads/b.csv',
      'workspace',
      'workspace/ä 🚂.txt',
    ]);
    const placed = join(workspace, 'mnt/session/uploads/a.csv');
    expect(await readFile(placed, 'utf8')).toBe('one');
    expect((await stat(placed)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(placed))).mode & 0o777).toBe(0o700);
  });

  it('never overwrite anything, and take back what they came with', async () => {
    await mkdir(join(workspace, 'src'));
    await writeFile(join(workspace, 'src/a'), 'mine');
    await symlink(join(root, 'nowhere'), join(workspace, 'src/dangling'));
    const before = await tree(workspace);
    for (const taken of ['/src/a', '/src/dangling', '/src/a/b', '/new/first']) {
      const all = [file('/new/first'), file('/src/deep/second'), file(taken)];
      const placed = host.placeFiles(workspace, all);
      await expect(placed).rejects.toThrow(failsWith('invalid_request'));
      await expect(placed).rejects.toThrow(JSON.stringify(taken));
      expect(await tree(workspace)).toEqual(before);
    }
    expect(await readFile(join(workspace, 'src/a'), 'utf8')).toBe('mine');
    await expect(stat(join(root, 'nowhere'))).rejects.toThrow('ENOENT');
  });

  it('leave what somebody has put beside them in the meantime', async () => {
    const placed = host.placeFiles(workspace, [
      file('/new/a'),
      {
        mountPath: '/new/b',
        field: FIELD,
        open: async () => {
          await writeFile(join(workspace, 'new/theirs'), '');
          throw new RoundhouseError('not_found', 'No such file.');
        },
      },
    ]);
    await expect(placed).rejects.toThrow(failsWith('not_found'));
    expect(await tree(workspace)).toEqual(['new', 'new/theirs']);
  });

  it('follow no link out, wherever it stands on the way', async () => {
    const outside = join(root, 'outside');
    await mkdir(join(outside, 'deep'), { recursive: true });
    await symlink(outside, join(workspace, 'link'));
    await mkdir(join(workspace, 'a'));
    await symlink(outside, join(workspace, 'a/link'));
    for (const path of ['/link/x', '/link/deep/x', '/a/link/x', '/a/link/deep/new/x']) {
      await expect(host.placeFiles(workspace, [file(path)])).rejects.toThrow(
        failsWith('invalid_request'),
      );
    }
    expect(await tree(outside)).toEqual(['deep']);
  });

  it('follow no link that takes the place of a folder while they are placed', async () => {
    const outside = join(root, 'outside');
    await mkdir(outside);
    const swap = async (): Promise<AsyncIterable<Uint8Array>> => {
      await rename(join(workspace, 'a/b'), join(workspace, 'a/old'));
      await symlink(outside, join(workspace, 'a/b'));
      return pieces(['text']);
    };
    const placed = host.placeFiles(workspace, [
      { mountPath: '/a/b/first', field: FIELD, open: swap },
      file('/a/b/second'),
    ]);
    await expect(placed).rejects.toThrow(failsWith('invalid_request'));
    expect(await tree(outside)).toEqual([]);
  });

  it('stay within it whatever a client says', async () => {
    const part = fc.oneof(
      fc.constantFrom('..', '.', '', 'a', 'b', 'link', '\\', '.git', 'x\0'),
      fc
        .array(fc.integer({ min: 0, max: 0x2ff }), { maxLength: 8 })
        .map((units) => String.fromCharCode(...units)),
    );
    const anyPath = fc
      .tuple(fc.boolean(), fc.array(part, { maxLength: 6 }))
      .map(([absolute, parts]) => `${absolute ? '/' : ''}${parts.join('/')}`);
    const outside = await tree(root);
    await symlink(root, join(workspace, 'link'));
    await fc.assert(
      fc.asyncProperty(anyPath, async (mountPath) => {
        const outcome = await host.placeFiles(workspace, [file(mountPath)]).then(
          () => 'placed',
          (error: unknown) => (error instanceof RoundhouseError ? error.code : error),
        );
        const inside = outcome === 'placed' && (await readFile(join(workspace, mountPath), 'utf8'));
        expect([inside, outcome]).toEqual(
          inside === false ? [false, 'invalid_request'] : ['the text', 'placed'],
        );
        if (inside !== false) {
          await rm(join(workspace, mountPath.split('/')[1] ?? ''), { recursive: true });
        }
        expect(await readdir(workspace)).toEqual(['link']);
      }),
      { numRuns: 300 },
    );
    await rm(join(workspace, 'link'));
    expect(await tree(root)).toEqual(outside);
  });

  it('are all there or none, also where a source fails in the middle', async () => {
    const placed = host.placeFiles(workspace, [
      file('/a/b'),
      { mountPath: '/a/c', field: FIELD, open: async () => broken() },
    ]);
    await expect(placed).rejects.toThrow('The disk is gone.');
    expect(await tree(workspace)).toEqual([]);
  });

  it.runIf(process.platform === 'linux')('leave nothing open', async () => {
    await host.placeFiles(workspace, [file('/a/b/c/d')]);
    await expect(host.placeFiles(workspace, [file('/a/b/c/d')])).rejects.toThrow('EEXIST');
    await expect(host.placeFiles(workspace, [file('/a/b/c/d/e')])).rejects.toThrow('ENOTDIR');
    const open = await Promise.all(
      (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')),
    );
    expect(open.filter((path) => path.startsWith(root))).toEqual([]);
  });
});
