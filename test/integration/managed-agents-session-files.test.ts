import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BadRequestError, NotFoundError, toFile, type Anthropic } from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsFileResourceParams,
  BetaManagedAgentsSession,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { RoundhouseSession } from '../../src/dialects/managed-agents/sessions.ts';
import { hashKey } from '../../src/http/auth.ts';
import { loadConfig, PrometheusMetrics, startServer } from '../../src/server.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { failure } from '../support/catalog-server.ts';
import { officialClient } from '../support/official-client.ts';

type Resource = BetaManagedAgentsFileResourceParams;

let root: string;
let alice: Anthropic;
let bob: Anthropic;
/** What every session is made of. */
let made: { agent: string; environment_id: string };

/** A whole server. No session is prompted, so no agent is started. */
beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-session-files-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  root = folder;
  await mkdir(join(root, 'project'));
  const keys = [
    { id: 'alice', hash: hashKey('key-a'), workspaces: [join(root, 'project')] },
    { id: 'bob', hash: hashKey('key-b') },
  ];
  const { config } = loadConfig({
    env: {},
    flags: {
      'data-dir': join(root, 'data'),
      port: '0',
      'server-keys': JSON.stringify(keys),
      'pool-spares-max': '0',
    },
    readFile: () => '',
  });
  const { log } = NO_TELEMETRY;
  const running = await startServer(config, {
    upstream: { kind: 'simulator', variables: {} },
    telemetry: { log, metrics: new PrometheusMetrics({ log }) },
  });
  onTestFinished(() => running.close());
  alice = officialClient(running.url, { key: 'key-a' });
  bob = officialClient(running.url, { key: 'key-b' });
  const agent = await alice.beta.agents.create({ name: 'a', model: 'claude-opus-5-5' });
  const environment = await alice.beta.environments.create({ name: 'e' });
  made = { agent: agent.id, environment_id: environment.id };
});

async function upload(text: string, client = alice): Promise<string> {
  return (await client.beta.files.upload({ file: await toFile(Buffer.from(text), 'a.txt') })).id;
}

function create(resources: Resource[]) {
  return alice.beta.sessions.create({ ...made, resources });
}

function fork(id: string): Promise<BetaManagedAgentsSession & { roundhouse: RoundhouseSession }> {
  return alice.post(`/v1/sessions/${id}/roundhouse/fork`);
}

/** Everything in the workspaces of all sessions. */
async function inWorkspaces(): Promise<string[]> {
  const all = await readdir(join(root, 'data', 'workspaces'), { recursive: true });
  return all.filter((path) => path.includes('/'));
}

describe('a session that is made with files', () => {
  it('has copies of them in its workspace, which stay when the files go, and go with it', async () => {
    const [first, second] = [await upload('one'), await upload('two')];
    const session = await create([
      { type: 'file', file_id: first },
      { type: 'file', file_id: second, mount_path: '/workspace/deep/data.csv' },
    ]);
    expect(session.resources).toMatchObject([
      { file_id: first, mount_path: `/mnt/session/uploads/${first}` },
      { file_id: second, mount_path: '/workspace/deep/data.csv' },
    ]);
    const workspace = join(root, 'data', 'workspaces', session.id);
    await alice.beta.files.delete(first);
    expect(await readFile(join(workspace, 'mnt/session/uploads', first), 'utf8')).toBe('one');
    expect(await readFile(join(workspace, 'workspace/deep/data.csv'), 'utf8')).toBe('two');
    await alice.beta.sessions.delete(session.id);
    expect(await inWorkspaces()).toEqual([]);
    expect(await alice.beta.files.retrieveMetadata(second)).toMatchObject({ id: second });
  });

  it('does not come to be with a file that is missing, or belongs to another key', async () => {
    const there = await upload('one');
    const foreign = await upload('secret', bob);
    for (const file_id of ['file_none', foreign, '../../../etc/passwd']) {
      const refused = create([
        { type: 'file', file_id: there },
        { type: 'file', file_id },
      ]);
      await failure(refused, NotFoundError);
    }
    expect((await alice.beta.sessions.list()).data).toEqual([]);
    expect(await inWorkspaces()).toEqual([]);
  });

  it('does not come to be with a path that leads out, or where another file stands', async () => {
    const file_id = await upload('one');
    const paths = ['/a/../../../b', '../b', 'b', '/b', '/.git/config', '/a/b/', '/a//b'];
    for (const mount_path of paths) {
      const refused = await failure(
        create([{ type: 'file', file_id, mount_path }]),
        BadRequestError,
      );
      expect(refused.message).toContain('resources.0.mount_path: expected an absolute path with');
    }
    const within = create([
      { type: 'file', file_id, mount_path: '/a/b' },
      { type: 'file', file_id, mount_path: '/a/b/c' },
    ]);
    expect((await failure(within, BadRequestError)).message).toMatch(
      /"resources\.1\.mount_path: expected a place .* got \\"\/a\/b\/c\\" \(ENOTDIR\)/,
    );
    expect((await alice.beta.sessions.list()).data).toEqual([]);
    expect(await inWorkspaces()).toEqual([]);
  });

  it("writes nothing into a folder that is somebody's", async () => {
    const workspace = { type: 'folder', path: join(root, 'project') };
    const shared: Parameters<typeof alice.beta.environments.create>[0] & { roundhouse: object } = {
      name: 'shared',
      roundhouse: { workspace },
    };
    const { id } = await alice.beta.environments.create(shared);
    made = { ...made, environment_id: id };
    const refused = create([{ type: 'file', file_id: await upload('one') }]);
    expect((await failure(refused, BadRequestError)).errorCode).toBe('unsupported_field');
    expect((await alice.beta.sessions.list()).data).toEqual([]);
    expect(await readdir(join(root, 'project'))).toEqual([]);
    expect((await create([])).id).toMatch(/^sesn_/);
  });
});

describe('a fork of a session that was made with files', () => {
  it('has those that are still there, and says which are not', async () => {
    const [gone, there] = [await upload('one'), await upload('two')];
    const origin = await create([
      { type: 'file', file_id: gone, mount_path: '/data/gone.csv' },
      { type: 'file', file_id: there, mount_path: '/data/there.csv' },
    ]);
    await alice.beta.files.delete(gone);
    const forked = await fork(origin.id);
    expect(forked.resources).toMatchObject([{ file_id: there, mount_path: '/data/there.csv' }]);
    const missing = [{ file_id: gone, mount_path: '/data/gone.csv' }];
    expect(forked.roundhouse.forked_from?.missing_files).toEqual(missing);
    expect(await readdir(join(root, 'data', 'workspaces', forked.id, 'data'))).toEqual([
      'there.csv',
    ]);
    // It is so for good, and the other one stays as it was.
    const again = alice.get<typeof forked>(`/v1/sessions/${forked.id}`);
    expect((await again).roundhouse).toEqual(forked.roundhouse);
    expect((await alice.beta.sessions.retrieve(origin.id)).resources).toHaveLength(2);
    // What a fork never had it does not lack.
    expect((await fork(forked.id)).roundhouse.forked_from?.missing_files).toEqual([]);
  });

  it('can be made when none is left', async () => {
    const gone = await upload('one');
    const origin = await create([{ type: 'file', file_id: gone }]);
    await alice.beta.files.delete(gone);
    const forked = await fork(origin.id);
    expect(forked.resources).toEqual([]);
    expect(forked.roundhouse.forked_from?.missing_files).toMatchObject([{ file_id: gone }]);
  });
});
