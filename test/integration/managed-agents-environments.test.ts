import { mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BadRequestError, NotFoundError, type Anthropic } from '@anthropic-ai/sdk';
import type {
  BetaEnvironment,
  EnvironmentCreateParams,
  EnvironmentUpdateParams,
} from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { BetaEnvironmentArchivedError } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { EnvironmentExtension } from '../../src/dialects/managed-agents/environments.ts';
import { turnLimitsSchema } from '../../src/definitions/turn-limits.ts';
import { hashKey } from '../../src/http/auth.ts';
import { loadConfig, PrometheusMetrics, startServer } from '../../src/server.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';
import { untilIdle, userMessage } from '../support/agent-sessions.ts';
import { HANGS, scriptOf } from '../support/scripts.ts';
import { officialClient } from '../support/official-client.ts';

let server: CatalogServer;

beforeEach(async () => {
  server = await catalogServer({
    folderAllowed: async (tenant, path) => tenant === 'alice' && path === '/srv/shared',
    variableAllowed: (name) => name.startsWith('APP_'),
  });
});

/** Requests with our extension: the SDK sends on what its types don't know. */
type Create = EnvironmentCreateParams & {
  roundhouse?: {
    workspace?: object | null;
    variables?: Record<string, object | null>;
    limits?: Record<string, number | null> | null;
  };
};
type Update = EnvironmentUpdateParams & Pick<Create, 'roundhouse'>;

/** The answers' extension. */
function extensionOf(environment: BetaEnvironment & { roundhouse?: EnvironmentExtension }) {
  return environment.roundhouse;
}

function create(body: Create, client: Anthropic = server.alice): Promise<BetaEnvironment> {
  return client.beta.environments.create(body);
}

function update(id: string, body: Update): Promise<BetaEnvironment> {
  return server.alice.beta.environments.update(id, body);
}

/** The first message may take as long as a silence, or longer: that is refused, with both names. */
async function expectEarlierSilenceRefused(
  request: Promise<unknown>,
  first: number,
  silence: number,
): Promise<void> {
  const { message } = await failure(request, BadRequestError);
  expect(message).toContain(
    `roundhouse.limits.first_message_ms: expected less than roundhouse.limits.silence_ms (${silence}), got ${first}; `,
  );
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('an environment', () => {
  it('takes every way to say that it is here', async () => {
    const configs: EnvironmentCreateParams['config'][] = [
      null,
      { type: 'cloud' },
      { type: 'cloud', networking: null, packages: null },
      {
        type: 'cloud',
        networking: { type: 'unrestricted' },
        packages: { type: 'packages', apt: [], pip: null },
      },
    ];
    for (const config of configs) {
      const environment = await create({
        name: 'a',
        config: config ?? null,
        scope: 'organization',
      });
      expect(environment.config).toMatchObject({ type: 'cloud' });
      expect((await update(environment.id, { config: config ?? null })).updated_at).toBe(
        environment.updated_at,
      );
    }
  });

  it('gives back what it was given: an answer is a valid request', async () => {
    const {
      name,
      description,
      metadata,
      config,
      scope = null,
    } = await create({
      name: 'a',
      description: 'b',
      metadata: { c: 'd' },
    });
    const again = await create({ name, description, metadata, config, scope });
    expect(again).toMatchObject({ name, description, metadata, config });
  });

  it('is patched: what is omitted stays', async () => {
    const { id } = await create({ name: 'a', description: 'b', metadata: { one: '1', two: '2' } });
    const patched = await update(id, { metadata: { one: null, two: '', three: '3' } });
    expect(patched).toMatchObject({ name: 'a', description: 'b', metadata: { three: '3' } });
    expect(patched.metadata).toEqual({ three: '3' });
    expect(await update(id, { description: '' })).toMatchObject({ description: '' });
    expect(await update(id, { description: null, name: null })).toMatchObject({
      description: null,
      name: 'a',
    });
    expect(await update(id, { name: 'z' })).toMatchObject({ name: 'z' });
  });

  it('can not be changed once it is archived, which the SDK has a class for', async () => {
    const { id } = await create({ name: 'a' });
    const archived = await server.alice.beta.environments.archive(id);
    expect(await server.alice.beta.environments.archive(id)).toEqual(archived);
    await failure(update(id, { name: 'b' }), BetaEnvironmentArchivedError);
    expect(await all(server.alice.beta.environments.list())).toEqual([]);
    expect(await all(server.alice.beta.environments.list({ include_archived: true }))).toEqual([
      archived,
    ]);
    await server.alice.beta.environments.delete(id);
    expect(await all(server.alice.beta.environments.list({ include_archived: true }))).toEqual([]);
  });

  it('is found by no other key, on any route', async () => {
    const mine = await create({ name: 'a' });
    const { environments } = server.bob.beta;
    const attempts = (id: string) => [
      environments.retrieve(id),
      environments.update(id, { name: 'taken' }),
      environments.archive(id),
      environments.delete(id),
    ];
    const told: string[][] = [];
    for (const id of [mine.id, 'env_000000000000000000000000']) {
      const errors = await Promise.all(attempts(id).map((each) => failure(each, NotFoundError)));
      told.push(errors.map(({ apiMessage }) => (apiMessage ?? '').replaceAll(id, 'ID')));
    }
    expect(told[0]).toEqual(told[1]);
    expect(await all(environments.list({ include_archived: true }))).toEqual([]);
    expect(await server.alice.beta.environments.retrieve(mine.id)).toEqual(mine);
  });

  it('is not an agent, nor the other way round', async () => {
    const environment = await create({ name: 'a' });
    const agent = await server.alice.beta.agents.create({ name: 'a', model: 'sonnet' });
    await failure(server.alice.beta.agents.retrieve(environment.id), NotFoundError);
    await failure(server.alice.beta.environments.delete(agent.id), NotFoundError);
    expect(await server.alice.beta.agents.retrieve(agent.id)).toEqual(agent);
  });
});

describe('our extension', () => {
  it('names the folder that sessions share, one that the operator allows', async () => {
    const workspace = { type: 'folder', path: '/srv/shared' };
    const environment = await create({ name: 'a', roundhouse: { workspace } });
    expect(extensionOf(environment)?.workspace).toEqual(workspace);
    expect(extensionOf(await update(environment.id, { name: 'b' }))?.workspace).toEqual(workspace);
    const error = await failure(
      update(environment.id, { roundhouse: { workspace: { type: 'folder', path: '/etc' } } }),
      BadRequestError,
    );
    expect(error.message).toContain('roundhouse.workspace.path: ');
    const fresh = await update(environment.id, { roundhouse: { workspace: null } });
    expect(extensionOf(fresh)?.workspace).toEqual({ type: 'fresh' });
  });

  it('names the repository that each session gets a clone of, in a folder that the operator allows', async () => {
    const clone = { type: 'git_clone', path: '/srv/shared' };
    const environment = await create({ name: 'a', roundhouse: { workspace: clone } });
    expect(extensionOf(environment)?.workspace).toEqual({ ...clone, ref: null });
    const workspace = { ...clone, ref: 'feature/x' };
    const changed = await update(environment.id, { roundhouse: { workspace } });
    expect(extensionOf(changed)?.workspace).toEqual(workspace);
    const again = await update(environment.id, {
      roundhouse: { workspace: { ...workspace, ref: null } },
    });
    expect(extensionOf(again)?.workspace).toEqual({ ...clone, ref: null });
    const outside = update(environment.id, {
      roundhouse: { workspace: { type: 'git_clone', path: '/etc' } },
    });
    const { message } = await failure(outside, BadRequestError);
    expect(message).toContain('roundhouse.workspace.path: ');
  });

  it('patches limits of turns, which are those of the configuration in the API’s spelling', async () => {
    const every = [
      'queued_ms',
      'start_ms',
      'first_message_ms',
      'first_token_ms',
      'silence_ms',
      'tool_ms',
      'awaiting_client_ms',
      'retrying_ms',
      'turn_ms',
      'interrupt_ms',
    ];
    expect(every).toHaveLength(Object.keys(turnLimitsSchema.shape).length);
    const limitsOf20s = Object.fromEntries(every.map((name) => [name, 20_000]));
    const each = { ...limitsOf20s, first_message_ms: 19_999 };
    const environment = await create({ name: 'a', roundhouse: { limits: each } });
    expect(extensionOf(environment)?.limits).toEqual(each);
    const { id } = environment;
    const nothing = Object.fromEntries(every.map((name) => [name, null]));
    const limits = { ...nothing, turn_ms: 5_000, tool_ms: 1_000 };
    const patched = await update(id, { roundhouse: { limits } });
    expect(extensionOf(patched)?.limits).toEqual({ turn_ms: 5_000, tool_ms: 1_000 });
    const more = await update(id, { roundhouse: { limits: { tool_ms: null, start_ms: 2_000 } } });
    expect(extensionOf(more)?.limits).toEqual({ turn_ms: 5_000, start_ms: 2_000 });
    for (const roundhouse of [{}, { limits: null }, { limits: {} }]) {
      expect(extensionOf(await update(id, { roundhouse }))?.limits).toEqual({
        turn_ms: 5_000,
        start_ms: 2_000,
      });
    }
  });

  it('holds its limits against each other, also after a patch', async () => {
    const both = { first_message_ms: 100_000, silence_ms: 10_000 };
    await expectEarlierSilenceRefused(
      create({ name: 'a', roundhouse: { limits: both } }),
      100_000,
      10_000,
    );
    const [first, silence] = [{ first_message_ms: 10_000 }, { silence_ms: 10_000 }];
    const { id } = await create({ name: 'a', roundhouse: { limits: first } });
    await expectEarlierSilenceRefused(
      update(id, { roundhouse: { limits: silence } }),
      10_000,
      10_000,
    );
    const limits = { ...silence, first_message_ms: null };
    const patched = await update(id, { roundhouse: { limits } });
    expect(extensionOf(patched)?.limits).toEqual(silence);
    await expectEarlierSilenceRefused(
      update(id, { roundhouse: { limits: first } }),
      10_000,
      10_000,
    );
  });

  it('keeps variables by name and never shows a secret again, in no answer', async () => {
    const environment = await create({
      name: 'a',
      roundhouse: {
        variables: {
          APP_MODE: { value: 'test' },
          APP_TOKEN: { value: 'hunter2', secret: true },
        },
      },
    });
    const { id } = environment;
    expect(extensionOf(environment)?.variables).toEqual({
      APP_MODE: { value: 'test', secret: false },
      APP_TOKEN: { secret: true },
    });
    const answers = [
      environment,
      await server.alice.beta.environments.retrieve(id),
      await all(server.alice.beta.environments.list()),
      await update(id, { name: 'b' }),
      await server.alice.beta.environments.archive(id),
    ];
    expect(JSON.stringify(answers)).not.toContain('hunter2');
  });

  it.each([
    { APP_TOKEN: 'hunter2' },
    { APP_TOKEN: { value: 'hunter2', secret: 'hunter2' } },
    { APP_TOKEN: { value: 'hunter2\0' } },
    { APP_TOKEN: { secret: 'hunter2' } },
    { 'APP-TOKEN': 'hunter2' },
    { APP_TOKEN: { value: 'x', token: 'hunter2' } },
    'hunter2',
  ])('is quoted in no refusal, whatever was wrong with it: %j', async (variables) => {
    const refused = await server.post('/v1/environments', { name: 'a', roundhouse: { variables } });
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain('roundhouse.variables');
    expect(JSON.stringify(refused.body)).not.toContain('hunter2');
  });

  it('patches variables; a new value stays as secret as the old one was', async () => {
    const { id } = await create({
      name: 'a',
      roundhouse: {
        variables: { APP_A: { value: '1' }, APP_B: { value: '2', secret: true } },
      },
    });
    const patched = await update(id, {
      roundhouse: { variables: { APP_A: null, APP_B: { value: '3' }, APP_C: { value: '4' } } },
    });
    expect(extensionOf(patched)?.variables).toEqual({
      APP_B: { secret: true },
      APP_C: { value: '4', secret: false },
    });
    const shown = await update(id, {
      roundhouse: { variables: { APP_B: { value: '5', secret: false } } },
    });
    expect(extensionOf(shown)?.variables['APP_B']).toEqual({ value: '5', secret: false });
  });
});

const long = (length: number): string => 'x'.repeat(length);
const pairs = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']));
const withLimits = (limits: object) => ({ roundhouse: { limits } });
const withVariables = (over: object) => ({ roundhouse: { variables: over } });

describe('a body', () => {
  it.each<[string, object]>([
    ['name', { name: '' }],
    ['name', { name: long(257) }],
    ['description', { description: long(2_049) }],
    ['metadata', { metadata: pairs(17) }],
    ['metadata.k', { metadata: { k: long(513) } }],
    ['scope', { scope: 'world' }],
    ['config.type', { config: { type: 'moon' } }],
    ['config.type', { config: {} }],
    ['config.networking.type', { config: { type: 'cloud', networking: { type: 'none' } } }],
    [
      'config.networking.allowed_hosts',
      { config: { type: 'cloud', networking: { type: 'unrestricted', allowed_hosts: [] } } },
    ],
    ['config.image', { config: { type: 'cloud', image: 'x' } }],
    ['config.packages.brew', { config: { type: 'cloud', packages: { brew: [] } } }],
    ['limits', { limits: {} }],
    ['roundhouse', { roundhouse: 'x' }],
    ['roundhouse.sandbox', { roundhouse: { sandbox: {} } }],
    ['roundhouse.workspace.type', { roundhouse: { workspace: { type: 'tmp' } } }],
    ['roundhouse.workspace.path', { roundhouse: { workspace: { type: 'fresh', path: '/x' } } }],
    ['roundhouse.workspace.path', { roundhouse: { workspace: { type: 'folder' } } }],
    ['roundhouse.workspace.path', { roundhouse: { workspace: { type: 'folder', path: 'srv' } } }],
    [
      'roundhouse.workspace.path',
      { roundhouse: { workspace: { type: 'folder', path: '/srv/shared\0' } } },
    ],
    ...['', '--upload-pack=x', '-b', 'a b', 'a..b', 'a\0'].map((ref): [string, object] => [
      'roundhouse.workspace.ref',
      { roundhouse: { workspace: { type: 'git_clone', path: '/srv/shared', ref } } },
    ]),
    [
      'roundhouse.workspace.path',
      { roundhouse: { workspace: { type: 'git_clone', path: 'srv' } } },
    ],
    ['roundhouse.workspace.path', { roundhouse: { workspace: { type: 'git_clone' } } }],
    [
      'roundhouse.workspace.url',
      { roundhouse: { workspace: { type: 'git_clone', path: '/srv/shared', url: 'x' } } },
    ],
    ['roundhouse.limits.memory', withLimits({ memory: 1 })],
    ['roundhouse.limits.turn_ms', withLimits({ turn_ms: 999 })],
    ['roundhouse.limits.turn_ms', withLimits({ turn_ms: 2_147_483_648 })],
    ['roundhouse.limits.turn_ms', withLimits({ turn_ms: 1_000.5 })],
    ['roundhouse.limits.turn_ms', withLimits({ turn_ms: '5000' })],
    ['roundhouse.variables.APP-X', withVariables({ 'APP-X': { value: 'x' } })],
    ['roundhouse.variables.APP_X', withVariables({ APP_X: 'x' })],
    ['roundhouse.variables.APP_X.value', withVariables({ APP_X: { secret: true } })],
    ['roundhouse.variables.APP_X.value', withVariables({ APP_X: { value: long(32_769) } })],
    ['roundhouse.variables.APP_X.value', withVariables({ APP_X: { value: 'a\0b' } })],
    ['roundhouse.variables.APP_X.secret', withVariables({ APP_X: { value: 'a', secret: 'yes' } })],
    ['roundhouse.variables.PATH', withVariables({ PATH: { value: '/tmp' } })],
    [
      'roundhouse.variables',
      withVariables(
        Object.fromEntries(
          Array.from({ length: 65 }, (_, index) => [`APP_${index}`, { value: '' }]),
        ),
      ),
    ],
  ])(
    'that is nearly right is refused with the name of what is wrong: %s (%#)',
    async (field, over) => {
      const { id } = await create({ name: 'a' });
      for (const path of ['/v1/environments', `/v1/environments/${id}`]) {
        const refused = await server.post(path, { name: 'b', ...over });
        expect(refused).toMatchObject({
          status: 400,
          body: { error: { details: { error_code: 'invalid_request' } } },
        });
        expect(JSON.stringify(refused.body)).toContain(`${field}: `);
      }
      const left = await all(server.alice.beta.environments.list());
      expect(left.map(({ name }) => name)).toEqual(['a']);
    },
  );

  it.each([
    [{ turnMs: 5_000 }, 'roundhouse.limits.turnMs: unknown; expected one of queued_ms, start_ms, '],
    [{ turn_ms: 5 }, 'roundhouse.limits.turn_ms: expected number to be >=1000, got 5'],
    [{ tool_ms: 90_000_000 }, 'tool_ms: expected number to be <=86400000, got 90000000'],
  ])('with a limit that is none is told what would be one: %j', async (limits, message) => {
    const { id } = await create({ name: 'a' });
    for (const path of ['/v1/environments', `/v1/environments/${id}`]) {
      const { status, body } = await server.post(path, { name: 'b', ...withLimits(limits) });
      expect({ status, message: Object(body).error.message }).toEqual({
        status: 400,
        message: expect.stringContaining(message),
      });
    }
  });

  it.each<[string, object]>([
    ['config.type', { config: { type: 'self_hosted' } }],
    ['config.networking', { config: { type: 'cloud', networking: { type: 'limited' } } }],
    ['config.packages.pip', { config: { type: 'cloud', packages: { pip: ['pandas'] } } }],
    ['config.packages.apt', { config: { type: 'cloud', packages: { apt: 'ffmpeg' } } }],
    ['scope', { scope: 'account' }],
  ])('that asks for what this host can not do is refused by name: %s (%#)', async (field, over) => {
    const { id } = await create({ name: 'a' });
    for (const path of ['/v1/environments', `/v1/environments/${id}`]) {
      const refused = await server.post(path, { name: 'b', ...over });
      expect(refused).toMatchObject({
        status: 400,
        body: { error: { details: { error_code: 'unsupported_field' } } },
      });
      expect(JSON.stringify(refused.body)).toContain(`server: ${field} (`);
    }
  });

  it.each([
    ['limit', '?limit=0'],
    ['limit', '?limit=101'],
    ['include_archived', '?include_archived=yes'],
    ['created_at[gte]', '?created_at[gte]=2026-01-01T00:00:00Z'],
    ['page cursor', '?page=x'],
  ])('needs none where a query is wrong: %s of %s is named', async (field, query) => {
    const response = await fetch(`${server.url}/v1/environments${query}`, {
      headers: { 'x-api-key': 'key-a' },
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(field);
  });
});

/** A session of a new environment with these limits. */
async function sessionWith(limits: Record<string, number>) {
  const environment = await create({ name: 'a', roundhouse: { limits } });
  const agent = await server.alice.beta.agents.create({ name: 'a', model: 'claude-opus-5-5' });
  const session = await server.alice.beta.sessions.create({
    agent: agent.id,
    environment_id: environment.id,
  });
  return { environment, session };
}

/** Limits of the session's own, as it is now. */
async function limitsOf(id: string): Promise<unknown> {
  return (await server.fixture.pool.getSessionInfo('alice', id))?.limits;
}

describe('limits of an environment', () => {
  beforeEach(async () => {
    server = await catalogServer({ pool: { driver: { script: scriptOf({ hang: HANGS }) } } });
  });

  it('end a turn that takes longer', async () => {
    const { session } = await sessionWith({ turn_ms: 1_000 });
    const events = await untilIdle(server.alice, session.id, [userMessage('hang')]);
    const error = events.find(({ type }) => type === 'session.error');
    expect(JSON.stringify(error)).toContain('1000 ms');
  });

  it('stay with a session and its forks, whatever becomes of the environment and the agent', async () => {
    const { environment, session } = await sessionWith({ turn_ms: 5_000 });
    await update(environment.id, { roundhouse: { limits: { turn_ms: 6_000, tool_ms: 2_000 } } });
    await server.alice.beta.sessions.update(session.id, { agent: { tools: [] } });
    const fork = await server.alice.post<{ id: string }>(
      `/v1/sessions/${session.id}/roundhouse/fork`,
      { body: {} },
    );
    expect(await limitsOf(session.id)).toEqual({ turnMs: 5_000 });
    expect(await limitsOf(fork.id)).toEqual({ turnMs: 5_000 });
  });
});

/** A whole server, ended with the test, with these flags over the defaults. */
async function wholeServer(dataDir: string, flags: Record<string, string>) {
  const { log } = NO_TELEMETRY;
  const { config } = loadConfig({
    env: {},
    flags: { 'data-dir': dataDir, port: '0', ...flags },
    readFile: () => '',
  });
  const running = await startServer(config, {
    upstream: { kind: 'simulator', variables: {} },
    telemetry: { log, metrics: new PrometheusMetrics({ log }) },
  });
  onTestFinished(() => running.close());
  return running;
}

async function tempFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'roundhouse-catalog-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

function withFolder(path: string): Create {
  return { name: 'a', roundhouse: { workspace: { type: 'folder', path } } };
}

describe('the folders that a whole server lets environments have', () => {
  it('are those of workspaces.allowed and what is below, also through a symlink, as long as they are there', async () => {
    const root = await tempFolder();
    await mkdir(join(root, 'allowed', 'project'), { recursive: true });
    await mkdir(join(root, 'other'));
    await symlink(join(root, 'other'), join(root, 'allowed', 'out'));
    await symlink(join(root, 'allowed', 'project'), join(root, 'in'));
    const allowed = JSON.stringify([join(root, 'allowed')]);
    const { url } = await wholeServer(join(root, 'data'), { 'workspaces-allowed': allowed });
    const client = officialClient(url);
    for (const path of ['allowed', 'allowed/project', 'in']) {
      const environment = await create(withFolder(join(root, path)), client);
      expect(extensionOf(environment)?.workspace).toEqual({
        type: 'folder',
        path: join(root, path),
      });
    }
    for (const path of ['', 'other', 'allowed/out', 'allowed/missing', 'allowed/../other']) {
      const refused = await failure(create(withFolder(`${root}/${path}`), client), BadRequestError);
      expect(refused.message).toContain('roundhouse.workspace.path: ');
    }
    expect(await all(client.beta.environments.list())).toHaveLength(3);
  });

  it('are with several keys those of the key, and none by default', async () => {
    const root = await tempFolder();
    await mkdir(join(root, 'a'));
    const keys = [
      { id: 'alice', hash: hashKey('key-a'), workspaces: [join(root, 'a')] },
      { id: 'bob', hash: hashKey('key-b') },
    ];
    const { url } = await wholeServer(join(root, 'data'), { 'server-keys': JSON.stringify(keys) });
    const request = withFolder(join(root, 'a'));
    const environment = await create(request, officialClient(url, { key: 'key-a' }));
    expect(extensionOf(environment)?.workspace).toEqual(request.roundhouse?.workspace);
    const refused = create(request, officialClient(url, { key: 'key-b' }));
    await failure(refused, BadRequestError);
  });
});

it('a whole server keeps agents and environments over a restart, by the rules of its configuration', async () => {
  const dataDir = await tempFolder();
  const start = async () => {
    const running = await wholeServer(dataDir, { 'environments-variables': '["APP_*"]' });
    return { running, client: officialClient(running.url) };
  };
  const before = await start();
  const variables = { APP_TOKEN: { value: 'x', secret: true } };
  const environment = await create({ name: 'a', roundhouse: { variables } }, before.client);
  const forbidden = create(
    { name: 'b', roundhouse: { variables: { OTHER: { value: 'x' } } } },
    before.client,
  );
  expect((await failure(forbidden, BadRequestError)).message).toContain(
    'roundhouse.variables.OTHER',
  );
  const agent = await before.client.beta.agents.create({
    name: 'a',
    model: 'claude-opus-5-5',
    tools: [{ type: 'agent_toolset_20260401' }],
  });
  await before.client.beta.agents.update(agent.id, { name: 'b' });
  await before.running.close();

  const after = await start();
  expect(await after.client.beta.environments.retrieve(environment.id)).toEqual(environment);
  expect(await after.client.beta.agents.retrieve(agent.id, { version: 1 })).toEqual(agent);
  expect(await after.client.beta.agents.retrieve(agent.id)).toMatchObject({ version: 2 });
  await after.running.close();
});
