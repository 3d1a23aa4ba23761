import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { APIUserAbortError, BadRequestError, toFile, type Anthropic } from '@anthropic-ai/sdk';
import type { EnvironmentCreateParams } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type {
  BetaManagedAgentsSession,
  SessionCreateParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import {
  loadConfig,
  PrometheusMetrics,
  startServer,
  type RunningServer,
} from '../../src/server.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { failure } from '../support/catalog-server.ts';
import { gitIn, makeRepository } from '../support/git-repository.ts';
import { processesOf } from '../support/leftovers.ts';
import { officialClient } from '../support/official-client.ts';

type Workspace = { type: 'git_clone'; path: string; ref?: string };

let root: string;
/** A repository in the folder that the operator allows. */
let source: string;
let running: RunningServer;
let client: Anthropic;
let agent: string;

/** A whole server. No session is prompted, so no agent is started. */
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-clones-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  root = folder;
  source = await makeRepository(join(root, 'allowed/source'));
  const { config } = loadConfig({
    env: {},
    flags: {
      'data-dir': join(root, 'data'),
      port: '0',
      'workspaces-allowed': JSON.stringify([join(root, 'allowed')]),
      'pool-spares-max': '0',
      'pool-max-starts': '1',
    },
    readFile: () => '',
  });
  const { log } = NO_TELEMETRY;
  running = await startServer(config, {
    upstream: { kind: 'simulator', variables: {} },
    telemetry: { log, metrics: new PrometheusMetrics({ log }) },
  });
  const server = running;
  onTestFinished(() => server.close());
  client = officialClient(running.url);
  agent = (await client.beta.agents.create({ name: 'a', model: 'claude-opus-5-5' })).id;
});

async function environmentWith(workspace: Workspace): Promise<string> {
  const params: EnvironmentCreateParams & { roundhouse: object } = {
    name: 'e',
    roundhouse: { workspace },
  };
  return (await client.beta.environments.create(params)).id;
}

/** A session of a new environment. */
async function sessionIn(
  workspace: Partial<Workspace> = {},
  over: Partial<SessionCreateParams> = {},
): Promise<BetaManagedAgentsSession> {
  const environment_id = await environmentWith({ type: 'git_clone', path: source, ...workspace });
  return client.beta.sessions.create({ agent, environment_id, ...over });
}

function createdIn(
  environment_id: string,
  signal?: AbortSignal,
): Promise<BetaManagedAgentsSession> {
  return client.beta.sessions.create({ agent, environment_id }, { signal: signal ?? null });
}

function workspaceOf({ id }: { id: string }): string {
  return join(root, 'data/workspaces', id);
}

function readIn(session: { id: string }, path: string): Promise<string> {
  return readFile(join(workspaceOf(session), path), 'utf8');
}

/** All that is there of sessions, by any way to look at it. */
async function left() {
  const { data } = await client.beta.sessions.list({ include_archived: true });
  const rows: unknown = await (await fetch(`${running.url}/sessions`)).json();
  return { data, rows, workspaces: await readdir(join(root, 'data/workspaces')) };
}

/** Not the word that is left beside a folder that is being filled. */
function isFolder(name: string): boolean {
  return !name.includes('.');
}

const NOTHING = { data: [], rows: { data: [], next: null }, workspaces: [] };

/** Puts a script in the place of git. */
async function gitThatIs(script: string): Promise<void> {
  const bin = await folderWith('bin');
  await writeFile(join(bin, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  vi.stubEnv('PATH', `${bin}:/usr/bin:/bin`);
  onTestFinished(() => void vi.unstubAllEnvs());
}

/** An empty folder that the operator allows. */
async function folderWith(name: string): Promise<string> {
  const path = join(root, 'allowed', name);
  await mkdir(path);
  return path;
}

describe('a session of an environment with a repository', () => {
  it('works in a clone of its own, at the ref, which goes with it', async () => {
    const [first, second] = [await sessionIn(), await sessionIn({ ref: 'feature' })];
    expect(await readIn(first, 'a.txt')).toBe('two');
    expect(await readIn(second, 'a.txt')).toBe('three');
    await writeFile(join(workspaceOf(first), 'a.txt'), 'changed');
    expect(await readFile(join(source, 'a.txt'), 'utf8')).toBe('two');
    await client.beta.sessions.delete(first.id);
    await client.beta.sessions.archive(second.id);
    await client.beta.sessions.delete(second.id);
    expect(await left()).toEqual(NOTHING);
    expect(await gitIn(source, 'status', '--porcelain')).toBe('');
  });

  it('has its files beside what was cloned, which they do not overwrite', async () => {
    const file = await client.beta.files.upload({ file: await toFile(Buffer.from('x'), 'x.txt') });
    const mounted = (mount_path: string) => ({
      resources: [{ type: 'file' as const, file_id: file.id, mount_path }],
    });
    const session = await sessionIn({}, mounted('/folder/x.txt'));
    expect(await readIn(session, 'folder/x.txt')).toBe('x');
    expect(await readIn(session, 'folder/b.txt')).toBe('two');
    await client.beta.sessions.delete(session.id);
    await failure(sessionIn({}, mounted('/folder/b.txt')), BadRequestError);
    expect(await left()).toEqual(NOTHING);
  });

  it('is forked with a clone of its own, of what the repository has by then', async () => {
    const session = await sessionIn();
    await writeFile(join(workspaceOf(session), 'a.txt'), 'changed');
    await gitIn(source, 'commit', '--quiet', '--allow-empty', '--message=later');
    const fork = await client.post<BetaManagedAgentsSession>(
      `/v1/sessions/${session.id}/roundhouse/fork`,
      { body: {} },
    );
    expect(await readIn(fork, 'a.txt')).toBe('two');
    expect(await gitIn(workspaceOf(fork), 'log', '-1', '--format=%s')).toBe('later');
    expect(await readIn(session, 'a.txt')).toBe('changed');
    await gitIn(source, 'branch', '--move', 'main', 'other');
    await rm(join(source, '.git'), { recursive: true });
    const again = client.post(`/v1/sessions/${session.id}/roundhouse/fork`, { body: {} });
    expect((await failure(again, BadRequestError)).message).toContain('roundhouse.workspace.path');
    expect(await readdir(join(root, 'data/workspaces'))).toHaveLength(2);
  });
});

it('no more repositories are cloned at once than processes may start', async () => {
  // Where it runs twice at a time, the second one fails.
  await gitThatIs(
    `mkdir '${root}/runs' && PATH=/usr/bin:/bin git "$@" && sleep 0.1 && rmdir '${root}/runs'`,
  );
  const sessions = await Promise.all([sessionIn(), sessionIn(), sessionIn()]);
  for (const session of sessions) expect(await readIn(session, 'a.txt')).toBe('two');
});

describe('a session that can not have its clone', () => {
  it.each<[string, string, () => Promise<Partial<Workspace>>]>([
    ['is no repository', 'path', async () => ({ path: await folderWith('plain') })],
    ['is a folder of a repository', 'path', async () => ({ path: join(source, 'folder') })],
    ['has no such ref', 'ref', async () => ({ ref: 'nowhere' })],
    ['has no such commit', 'ref', async () => ({ ref: 'a'.repeat(40) })],
    [
      'leads out by its .git',
      'path',
      async () => {
        const secret = await makeRepository(join(root, 'secret'));
        const path = await folderWith('worktree');
        await writeFile(join(path, '.git'), `gitdir: ${secret}/.git\n`);
        return { path };
      },
    ],
  ])('does not come to be where it %s', async (_what, field, prepare) => {
    const { message } = await failure(sessionIn(await prepare()), BadRequestError);
    expect(message).toContain(`roundhouse.workspace.${field}: `);
    expect(await left()).toEqual(NOTHING);
  });

  it('does not come to be where the folder has become a way out', async () => {
    const secret = await makeRepository(join(root, 'secret'));
    const path = join(root, 'allowed/link');
    await symlink(source, path);
    const environment_id = await environmentWith({ type: 'git_clone', path });
    const session = await client.beta.sessions.create({ agent, environment_id });
    expect(await readIn(session, 'a.txt')).toBe('two');
    await client.beta.sessions.delete(session.id);
    await rm(path);
    await symlink(secret, path);
    const refused = client.beta.sessions.create({ agent, environment_id });
    const { message } = await failure(refused, BadRequestError);
    expect(message).toContain('roundhouse.workspace.path: ');
    expect(await left()).toEqual(NOTHING);
  });

  it.each(['session', 'fork'])(
    'is given up when its client leaves, cloned or waiting for that: a %s',
    async (kind) => {
      const environment = await environmentWith({ type: 'git_clone', path: source });
      const original = await createdIn(environment);
      await gitThatIs(`sleep 1000 &\ntouch '${root}/begun'\nwait`);
      const make = (signal: AbortSignal): Promise<unknown> =>
        kind === 'session'
          ? createdIn(environment, signal)
          : client.post(`/v1/sessions/${original.id}/roundhouse/fork`, { body: {}, signal });
      const [first, second] = [new AbortController(), new AbortController()];
      const made = [failure(make(first.signal), APIUserAbortError)];
      await vi.waitFor(() => readFile(join(root, 'begun')), { timeout: 10_000 });
      made.push(failure(make(second.signal), APIUserAbortError));
      // It has its folder, and waits for its turn.
      await expect.poll(async () => (await left()).workspaces.filter(isFolder)).toHaveLength(3);
      for (const leaving of [second, first]) {
        const { length } = (await left()).workspaces.filter(isFolder);
        leaving.abort();
        await expect
          .poll(async () => (await left()).workspaces.filter(isFolder))
          .toHaveLength(length - 1);
      }
      await Promise.all(made);
      expect(await left()).toMatchObject({
        data: [{ id: original.id }],
        rows: { data: [{ id: original.id }] },
        workspaces: [original.id],
      });
      expect(processesOf(root)).toEqual([]);
    },
  );

  it('is given up when the server closes, and leaves nothing', async () => {
    await gitThatIs(`touch '${root}/begun' half\nsleep 1000 & wait`);
    const creating = failure(sessionIn(), Error);
    await vi.waitFor(() => readFile(join(root, 'begun')), { timeout: 10_000 });
    await running.drain('a test');
    expect(await creating).toMatchObject({ status: 503 });
    expect(await readdir(join(root, 'data/workspaces'))).toEqual([]);
  });
});
