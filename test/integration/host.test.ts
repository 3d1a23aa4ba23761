import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';

import type { Host } from '../../src/contracts/host.ts';
import type { LogFields, Telemetry } from '../../src/telemetry/telemetry.ts';
import { PROCESS_MARK } from '../../src/contracts/host.ts';
import { createHost } from '../../src/host/create-host.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { newClientId } from '../../src/events/ids.ts';

const onLinux = process.platform === 'linux';
const strays = new Set<number>();
let dataDir: string;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'roundhouse-host-'));
});

afterEach(async () => {
  for (const pid of strays) {
    if (alive(pid)) process.kill(pid, 'SIGKILL');
  }
  strays.clear();
  await rm(dataDir, { recursive: true });
});

/** Runs a shell script that writes pids, one a line; resolves with the first `count` of them. */
async function run(script: string, clientId: string | undefined, count = 1): Promise<number[]> {
  const mark = clientId === undefined ? {} : { [PROCESS_MARK]: clientId };
  const child = spawn('/bin/sh', ['-c', script], {
    env: { PATH: process.env['PATH'] ?? '', ...mark },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  let text = '';
  while (text.split('\n').length <= count) {
    const [chunk] = await once(child.stdout, 'data');
    text += String(chunk);
  }
  const pids = text.trim().split('\n').map(Number);
  for (const pid of pids) strays.add(pid);
  return pids;
}

/** Dead processes that nobody has reaped (the orphans' new parent may be slow) count as gone. */
function alive(pid: number): boolean {
  return /^\s*[^Z\s]/.test(spawnSync('ps', ['-o', 'stat=', '-p', String(pid)]).stdout.toString());
}

function open(telemetry: Telemetry = NO_TELEMETRY, platform?: NodeJS.Platform): Promise<Host> {
  return createHost({ dataDir, telemetry, ...(platform === undefined ? {} : { platform }) });
}

function recording(): { telemetry: Telemetry; warnings: [string, LogFields | undefined][] } {
  const warnings: [string, LogFields | undefined][] = [];
  const warn = (event: string, fields?: LogFields): void => void warnings.push([event, fields]);
  return { telemetry: { ...NO_TELEMETRY, log: { ...NO_TELEMETRY.log, warn } }, warnings };
}

async function entries(): Promise<string[]> {
  return (await readdir(join(dataDir, 'processes'))).toSorted();
}

const STUBBORN = `trap '' TERM; echo $$; while :; do sleep 1; done`;
const PATIENT = `echo $$; exec sleep 1000`;

describe('folders', () => {
  it('are private, and are made only once for an id', async () => {
    const host = await open();
    const folder = await host.createProcessFolder('clnt_a');
    const workspace = await host.createWorkspace('sesn_a');
    for (const path of [folder, workspace, join(dataDir, 'processes')]) {
      expect((await stat(path)).mode & 0o777).toBe(0o700);
    }
    await expect(host.createProcessFolder('clnt_a')).rejects.toMatchObject({
      code: 'storage_failed',
    });
  });

  it('never stand outside, whatever the id says', async () => {
    const host = await open();
    for (const id of ['../x', '..', '', 'a/b', '.hidden']) {
      await expect(host.createWorkspace(id)).rejects.toMatchObject({ code: 'internal' });
    }
  });

  it('of sessions that never came to be are removed, and only when there is nothing in them', async () => {
    const host = await open();
    const known = await host.createWorkspace('sesn_known');
    const unused = await host.createWorkspace('sesn_unused');
    const written = await host.createWorkspace('sesn_written');
    await writeFile(join(written, 'notes.txt'), 'mine');
    const outside = join(dataDir, 'outside');
    await mkdir(outside);
    await symlink(outside, join(dataDir, 'workspaces', 'sesn_link'));
    const removed = await host.sweepWorkspaces((id) => Promise.resolve(id === 'sesn_known'));
    expect(removed).toBe(1);
    expect([known, unused, written, outside].map((path) => existsSync(path))).toEqual([
      true,
      false,
      true,
      true,
    ]);
  });

  it('are removed only where this host makes them', async () => {
    const host = await open();
    const outside = join(dataDir, 'outside');
    await mkdir(outside);
    await symlink(outside, join(dataDir, 'workspaces', 'sesn_link'));
    const workspace = await host.createWorkspace('sesn_a');
    await symlink(outside, join(workspace, 'link'));
    await host.removeWorkspace(outside);
    await host.removeWorkspace(join(dataDir, 'workspaces', 'sesn_link'));
    await host.removeWorkspace(join(dataDir, 'workspaces'));
    await host.removeWorkspace(join(dataDir, 'workspaces', '..', 'outside'));
    await host.removeWorkspace(workspace);
    await host.removeWorkspace(workspace);
    const folder = await host.createProcessFolder('clnt_a');
    await host.removeProcessFolder(outside);
    await host.removeProcessFolder(join(dataDir, 'processes'));
    await host.forgetProcess('clnt_b', outside);
    await host.removeProcessFolder(folder);
    expect(existsSync(folder)).toBe(false);
    expect(existsSync(workspace)).toBe(false);
    expect(existsSync(outside)).toBe(true);
  });

  it('are found below an allowed one only, by their real path', async () => {
    const host = await open();
    const ground = await realpath(await mkdtemp(join(tmpdir(), 'roundhouse-named-')));
    onTestFinished(() => rm(ground, { recursive: true }));
    const [allowed, outside] = [join(ground, 'allowed'), join(ground, 'outside')];
    const inner = join(allowed, 'inner');
    for (const path of [join(inner, 'deep'), join(outside, 'secret')])
      await mkdir(path, { recursive: true });
    await writeFile(join(allowed, 'file'), '');
    await symlink(inner, join(allowed, 'in-link'));
    await symlink(outside, join(allowed, 'out-link'));
    await symlink(allowed, join(ground, 'alias'));
    const own = await host.createWorkspace('sesn_other');
    const find = async (path: string, ...roots: string[]): Promise<string> => {
      const there = await host.findFolder(path, roots.length === 0 ? [allowed] : roots);
      return there.found === 'folder' ? there.path : there.found;
    };

    expect(await find(allowed)).toBe(allowed);
    expect(await find(join(inner, 'deep', '..', 'deep'))).toBe(join(inner, 'deep'));
    expect(await find(join(allowed, 'in-link', 'deep'))).toBe(join(inner, 'deep'));
    expect(await find(join(allowed, 'out-link'))).toBe('outside');
    expect(await find(join(allowed, 'out-link', 'secret'))).toBe('outside');
    expect(await find(join(allowed, '..', 'outside'))).toBe('outside');
    expect(await find(`${allowed}-too`)).toBe('outside');
    expect(await find(ground)).toBe('outside');
    expect(await find(join(allowed, 'file'))).toBe('no_folder');
    expect(await find(join(allowed, 'missing'))).toBe('nothing');
    // Whether anything is there is nobody's business.
    expect(await find(join(outside, 'missing'))).toBe('outside');
    expect(await find('allowed')).toBe('relative');
    expect(await find(`${allowed}\u0000`)).toBe('outside');
    // The operator may name a link; another one then leads to the same.
    expect(await find(inner, join(ground, 'alias'))).toBe(inner);
    expect(await find(join(ground, 'alias', 'missing'), join(ground, 'alias'))).toBe('nothing');
    expect(await find(inner, join(ground, 'gone'))).toBe('outside');
    // The data of the server is nobody's workspace, whatever is allowed.
    for (const path of [own, dataDir, join(dataDir, 'processes')])
      expect(await find(path, '/')).toBe('own');
    const none = await host.findFolder(allowed, []);
    expect(none.found).toBe('outside');
  });

  it('are refused with the next step where the data directory cannot be made', async () => {
    await writeFile(join(dataDir, 'file'), '');
    const opening = createHost({ dataDir: join(dataDir, 'file'), telemetry: NO_TELEMETRY });
    await expect(opening).rejects.toMatchObject({
      code: 'storage_failed',
      message: expect.stringContaining('--data-dir'),
    });
  });
});

describe.runIf(onLinux)('killMarked', () => {
  it('ends a process that ignores SIGTERM, and one that left its session and its parent', async () => {
    const host = await open();
    const clientId = newClientId();
    const [stubborn = 0] = await run(STUBBORN, clientId);
    const [orphan = 0] = await run(`setsid sh -c 'echo $$; exec sleep 1000' & exit 0`, clientId);
    const [stranger = 0] = await run(PATIENT, newClientId());
    const [unmarked = 0] = await run(PATIENT, undefined);

    expect(await host.killMarked(clientId)).toBeGreaterThanOrEqual(2);
    expect([stubborn, orphan, stranger, unmarked].map(alive)).toEqual([false, false, true, true]);
  });

  it('ends what forks while it is being ended', async () => {
    const host = await open();
    const clientId = newClientId();
    const forker = `trap 'sh -c "exec sleep 1000" & sh -c "exec sleep 1000" & exit' TERM; echo $$; while :; do sleep 0.05; done`;
    await run(forker, clientId);
    expect(await host.killMarked(clientId)).toBeGreaterThanOrEqual(3);
    expect(await host.killMarked(clientId)).toBe(0);
  });

  it('lets a process end in its own way first', async () => {
    const host = await open();
    const clientId = newClientId();
    const note = join(dataDir, 'said-goodbye');
    await run(
      `trap 'echo bye > ${note}; exit' TERM; echo $$; while :; do sleep 0.05; done`,
      clientId,
    );
    await host.killMarked(clientId);
    expect(existsSync(note)).toBe(true);
  });
});

describe.runIf(onLinux)('sweep', () => {
  it('ends what an earlier host left and removes its records and folders', async () => {
    const earlier = await open();
    const clientId = newClientId();
    const folder = await earlier.createProcessFolder(clientId);
    const [pid = 0] = await run(STUBBORN, clientId);
    await earlier.registerProcess(pid, clientId, 'sesn_1', folder);
    expect(await earlier.countOwned()).toBe(1);

    const next = await open();
    const result = await next.sweep(new Set());
    expect(result.processesKilled).toBeGreaterThanOrEqual(1);
    expect(result.foldersRemoved).toBe(1);
    expect(alive(pid)).toBe(false);
    expect(await readdir(join(dataDir, 'processes'))).toEqual([]);
    expect(await earlier.countOwned()).toBe(0);
  });

  it('ends a tool that outlived its agent, whose record names a pid that nobody has', async () => {
    const earlier = await open();
    const clientId = newClientId();
    const folder = await earlier.createProcessFolder(clientId);
    const [tool = 0] = await run(`setsid sh -c 'echo $$; exec sleep 1000' & exit 0`, clientId);
    await earlier.registerProcess(2 ** 30, clientId, 'sesn_1', folder);
    expect(await (await open()).sweep(new Set())).toEqual({
      processesKilled: 1,
      foldersRemoved: 1,
    });
    expect(alive(tool)).toBe(false);
  });

  it('leaves a stranger alone that has got the pid of a record, or even its start time', async () => {
    const earlier = await open();
    const [stranger = 0] = await run(PATIENT, undefined);
    await earlier.registerProcess(stranger, 'clnt_same_time', 'sesn_1', '/nowhere');
    await writeFile(
      join(dataDir, 'processes', 'clnt_reused.json'),
      JSON.stringify({
        pid: stranger,
        clientId: 'clnt_reused',
        sessionId: 'sesn_2',
        startedAt: 'x:1',
        folder: '/etc',
      }),
    );
    expect(await (await open()).sweep(new Set())).toEqual({
      processesKilled: 0,
      foldersRemoved: 0,
    });
    expect(alive(stranger)).toBe(true);
    expect(await readdir(join(dataDir, 'processes'))).toEqual([]);
  });

  it('keeps the folders it is told to keep, and takes those without a record', async () => {
    const earlier = await open();
    const kept = await earlier.createProcessFolder('clnt_kept');
    await writeFile(join(kept, 'transcript.jsonl'), '{}');
    await earlier.createProcessFolder('clnt_bare');
    const workspace = await earlier.createWorkspace('sesn_1');
    expect(await (await open()).sweep(new Set([kept]))).toEqual({
      processesKilled: 0,
      foldersRemoved: 1,
    });
    expect(await readdir(join(dataDir, 'processes'))).toEqual(['clnt_kept']);
    expect(existsSync(join(kept, 'transcript.jsonl'))).toBe(true);
    expect(existsSync(workspace)).toBe(true);
  });

  it('lets a folder be searched when its processes are gone and before it goes, and keeps it where that fails', async () => {
    const earlier = await open();
    const folders: string[] = [];
    for (const clientId of ['clnt_a', 'clnt_b', 'clnt_kept']) {
      folders.push(await earlier.createProcessFolder(clientId));
      await earlier.registerProcess(2 ** 30, clientId, `sesn_${clientId}`, '/etc');
    }
    const [pid = 0] = await run(PATIENT, 'clnt_a');
    await earlier.createProcessFolder('clnt_bare');
    const [a = '', b = '', kept = ''] = folders;
    const seen: unknown[] = [];
    const next = await open();
    await next.sweep(new Set([kept]), (left) => {
      seen.push([left, alive(pid), existsSync(left.folder)]);
      return left.folder === b ? Promise.reject(new Error('not now')) : Promise.resolve();
    });
    expect(seen).toEqual([
      [{ sessionId: 'sesn_clnt_a', folder: a }, false, true],
      [{ sessionId: 'sesn_clnt_b', folder: b }, false, true],
    ]);
    expect(await entries()).toEqual(['clnt_b', 'clnt_b.json', 'clnt_kept']);
    await next.removeProcessFolder(b);
    expect(await entries()).toEqual(['clnt_kept']);
  });

  it('removes broken records with a warning, still ends their processes, and touches nothing else', async () => {
    const { telemetry, warnings } = recording();
    const host = await open(telemetry);
    const processes = join(dataDir, 'processes');
    const outside = join(dataDir, 'outside');
    await mkdir(outside);
    await writeFile(join(processes, 'clnt_broken.json'), '{"pid": 12');
    await writeFile(join(processes, 'clnt_half.json.tmp'), '');
    await writeFile(join(processes, 'clnt_lies.json'), '{"pid":1,"clientId":"other"}');
    await writeFile(join(processes, 'notes.txt'), 'mine');
    await symlink(outside, join(processes, 'clnt_link'));
    const [pid = 0] = await run(PATIENT, 'clnt_broken');
    expect(await host.sweep(new Set())).toEqual({ processesKilled: 1, foldersRemoved: 0 });
    expect(alive(pid)).toBe(false);
    expect((await readdir(processes)).toSorted()).toEqual(['clnt_link', 'notes.txt']);
    expect(existsSync(outside)).toBe(true);
    expect(warnings.map(([event]) => event)).toEqual([
      'host_record_unreadable',
      'host_record_unreadable',
    ]);
  });
});

describe.runIf(onLinux)('the machine', () => {
  it('makes the kernel end a child when its host dies', async () => {
    const host = await open();
    expect(host.spawnPrefix.slice(1)).toEqual(['--pdeathsig', 'TERM', '--']);
    const script = `const child = require('node:child_process').spawn(${JSON.stringify(host.spawnPrefix[0])}, ${JSON.stringify([...host.spawnPrefix.slice(1), 'sleep', '1000'])});
      child.on('spawn', () => console.log(child.pid + '\\n' + process.pid)); setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [text] = await once(parent.stdout, 'data');
    const [pid = 0] = String(text).split('\n').map(Number);
    strays.add(pid);
    expect(alive(pid)).toBe(true);
    // The pipe that the child inherited closes when both are gone.
    const gone = once(parent, 'close');
    parent.kill('SIGKILL');
    await gone;
    await expect.poll(() => alive(pid), { timeout: 5_000 }).toBe(false);
  });

  it('tells the memory of a process and the limit of the machine', async () => {
    const host = await open();
    expect(await host.memoryBytes(process.pid)).toBeGreaterThan(10 * 1024 * 1024);
    expect(await host.memoryBytes(2 ** 30)).toBeUndefined();
    expect(await host.memoryLimitBytes()).toBeGreaterThan(100 * 1024 * 1024);
  });
});

describe.runIf(existsSync('/bin/ps') || existsSync('/usr/bin/ps'))('the portable host', () => {
  it('sweeps a process with its children by pid and start time, and no stranger', async () => {
    const earlier = await open(NO_TELEMETRY, 'darwin');
    const clientId = newClientId();
    const folder = await earlier.createProcessFolder(clientId);
    const pids = await run(`trap '' TERM; sleep 1000 & echo $!; echo $$; wait`, undefined, 2);
    const [child = 0, parent = 0] = pids;
    await earlier.registerProcess(parent, clientId, 'sesn_1', folder);
    const [stranger = 0] = await run(PATIENT, undefined);
    await writeFile(
      join(dataDir, 'processes', 'clnt_reused.json'),
      JSON.stringify({
        pid: stranger,
        clientId: 'clnt_reused',
        sessionId: 's',
        startedAt: 'Sun Nov 22 06:00:00 2020',
        folder: '/',
      }),
    );
    const result = await (await open(NO_TELEMETRY, 'darwin')).sweep(new Set());
    expect(result).toEqual({ processesKilled: 2, foldersRemoved: 1 });
    expect([child, parent, stranger].map(alive)).toEqual([false, false, true]);
  });

  it('tells memory and its limit, and gives no prefix', async () => {
    const host = await open(NO_TELEMETRY, 'darwin');
    expect(host.spawnPrefix).toEqual([]);
    expect(await host.memoryBytes(process.pid)).toBeGreaterThan(10 * 1024 * 1024);
    expect(await host.memoryBytes(2 ** 30)).toBeUndefined();
    expect(await host.memoryLimitBytes()).toBeGreaterThan(100 * 1024 * 1024);
  });
});
