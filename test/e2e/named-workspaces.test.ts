import { existsSync } from 'node:fs';
import {
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';

import { ClaudeCodeProcess } from '../../src/agent/claude-code/process.ts';
import { hashKey } from '../../src/http/auth.ts';
import { askServer, officialClient, prompt } from '../support/official-client.ts';
import { RealPool } from '../support/real-pool.ts';
import { ServerFixture } from '../support/server-fixture.ts';

const SPARES = { max: 1, idleMs: 60_000, maxAgeMs: 600_000, reserveBytes: 0 };
const PWD = '[[tool Bash {"command":"pwd"}]]';

/** A folder of the operator's: `allowed` with a project in it, and what is none of the agents' business beside it. */
async function ground(): Promise<{ root: string; allowed: string; project: string }> {
  const root = await realpath(await mkdtemp(join(tmpdir(), 'rh-named-')));
  onTestFinished(() => rm(root, { recursive: true }));
  const allowed = join(root, 'allowed');
  const project = join(allowed, 'project');
  await mkdir(project, { recursive: true });
  await mkdir(join(root, 'secret'));
  await symlink(join(root, 'secret'), join(allowed, 'way-out'));
  return { root, allowed, project };
}

async function poolIn(allowed: string): Promise<RealPool> {
  const pool = await RealPool.open({
    pool: { spares: SPARES },
    agent: { allowedTools: ['Write'] },
    workspaces: [allowed],
  });
  onTestFinished(() => pool.end());
  return pool;
}

test('sessions in a named folder work on its files, the second on a claimed spare, and the folder stays', async () => {
  const { allowed, project } = await ground();
  const real = await poolIn(allowed);
  const ready = real.log.waitForEvent('spare_ready', { folder: 'named' });
  const file = join(project, 'made.txt');
  const write = `[[tool Write ${JSON.stringify({ file_path: file, content: 'by the first' })}]]`;
  await real.ask('first', write, { workspace: project });
  expect(await readFile(file, 'utf8')).toBe('by the first');

  const { id } = await ready;
  const read = await real.ask('second', '[[tool Bash {"command":"cat made.txt"}]]', {
    workspace: project,
  });
  expect(read.text).toContain('by the first');
  const second = await real.pool.getSessionClient('second');
  expect(second.id).toBe(id);
  expect(second.row).toMatchObject({ workspace: project, ownsWorkspace: false });

  // Its conversation goes on in another process, in the same folder.
  await second.disconnect('evicted');
  expect((await real.ask('second', PWD)).text).toContain(project);
  expect((await real.ask('second', 'what was before?')).text).toContain('cat made.txt');

  for (const name of ['first', 'second']) await real.pool.deleteSession('default', name);
  expect(await readdir(project)).toEqual(['made.txt']);
  expect(await readdir(join(real.folder, 'workspaces'))).toEqual([]);
});

test('a claim that Claude Code refuses is followed by a normal start, and nothing of the spare is left', async () => {
  const { allowed, project } = await ground();
  const real = await poolIn(allowed);
  const ready = real.log.waitForEvent('spare_ready', { folder: 'named' });
  await real.ask('first', 'hello', { workspace: project });
  const { id } = await ready;
  const spied = vi.spyOn(ClaudeCodeProcess.prototype, 'bind');
  onTestFinished(() => spied.mockRestore());
  // Everything but the name of the folder is real; the next call is not replaced any more.
  spied.mockImplementationOnce(function gone(this: ClaudeCodeProcess, _binding, signal) {
    return this.bind({ workspace: join(project, 'gone') }, signal);
  });
  const second = await real.ask('second', PWD, { workspace: project });
  expect(second.text).toContain(project);
  const refused = await real.log.waitForEvent('spare_refused');
  expect(refused).toMatchObject({ id, error: expect.stringContaining('cwd_not_found') });
  expect((await real.pool.getSessionClient('second')).id).not.toBe(id);
  await real.close();
  await vi.waitFor(async () => expect(await readdir(join(real.folder, 'processes'))).toEqual([]));
});

test('a server refuses what leads out, and tells a key nothing of the folders of another', async () => {
  const { root, allowed, project } = await ground();
  const keys = [
    `{id: a, hash: "${hashKey('key-of-a')}", workspaces: [${allowed}]}`,
    `{id: b, hash: "${hashKey('key-of-b')}"}`,
  ];
  const server = await ServerFixture.start({
    config: `server:\n  keys: [${keys.join(', ')}]\nagent:\n  tools: on\n`,
    args: ['--config', 'config.yaml'],
  });
  onTestFinished(() => server.end());
  const asked = async (key: string, workspace: string, session = 'demo') => {
    const headers = { 'x-workspace': workspace };
    const client = officialClient(server.url, { key, session, headers });
    try {
      const { content } = await client.messages.create(prompt(PWD));
      return JSON.stringify(content);
    } catch (error) {
      return error;
    }
  };
  const notAllowed = { status: 403, message: expect.stringContaining('is not allowed') };
  expect(await asked('key-of-a', join(allowed, 'way-out'))).toMatchObject(notAllowed);
  expect(await asked('key-of-a', join(allowed, '..', 'secret'))).toMatchObject(notAllowed);
  expect(await asked('key-of-a', server.dataDir)).toMatchObject(notAllowed);
  expect(await asked('key-of-b', project)).toMatchObject(notAllowed);
  expect(await asked('key-of-a', join(allowed, 'missing'))).toMatchObject({ status: 400 });
  expect(server.agentsAlive()).toBe(0);

  expect(await asked('key-of-a', project)).toContain(project);
  await mkdir(join(allowed, 'other'));
  expect(await asked('key-of-a', join(allowed, 'other'))).toMatchObject({
    status: 400,
    message: expect.stringContaining('workspace: session demo works in'),
  });
  const deleted = await fetch(`${server.url}/sessions/demo`, {
    method: 'DELETE',
    headers: { 'x-api-key': 'key-of-a' },
  });
  expect(deleted.status).toBe(200);
  expect(existsSync(project)).toBe(true);
  expect(existsSync(root)).toBe(true);
});

test('a server with a spare for named folders counts its hit, and survives kill -9 with the folder known', async () => {
  const { allowed, project } = await ground();
  const server = await ServerFixture.start({
    env: { ROUNDHOUSE_POOL_SPARES_MAX: '1', ROUNDHOUSE_WORKSPACES_ALLOWED: allowed },
  });
  onTestFinished(() => server.end());
  await writeFile(join(project, 'note.txt'), 'written by the operator');
  const headers = { 'x-workspace': project };
  const ready = server.log.waitForEvent('spare_ready', { folder: 'named' });
  await officialClient(server.url, { session: 'first', headers }).messages.create(prompt('one'));
  await ready;
  const read = prompt('[[tool Bash {"command":"cat note.txt"}]]');
  const second = officialClient(server.url, { session: 'second', headers });
  expect(JSON.stringify(await second.messages.create(read))).toContain('written by the operator');
  const hit = 'roundhouse_spares_total{outcome="hit",reason="",folder="named"}';
  expect(await server.metric(hit)).toBe(1);
  await server.kill('SIGKILL');
  await server.restart();
  expect(await askServer(server.url, 'second', PWD)).toContain(project);
});
