import { BadRequestError, ConflictError, NotFoundError } from '@anthropic-ai/sdk';
import type { AgentCreateParams } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import { beforeEach, describe, expect, it } from 'vitest';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';

let server: CatalogServer;

beforeEach(async () => {
  server = await catalogServer();
});

const MINIMAL: AgentCreateParams = { model: 'claude-opus-5-5', name: 'My First Agent' };

function onlyHttps(url: string): string | undefined {
  return url.startsWith('https:') ? undefined : 'http is not allowed';
}

function withServer(url: string): AgentCreateParams {
  return {
    ...MINIMAL,
    mcp_servers: [{ type: 'url', name: 'm', url }],
    tools: [{ type: 'mcp_toolset', mcp_server_name: 'm' }],
  };
}

const ALLOW = { type: 'always_allow' } as const;
const ASK = { type: 'always_ask' } as const;

/** Everything that an agent can have here. */
const FULL: AgentCreateParams = {
  name: 'Reviewer',
  description: 'Reads and asks.',
  system: 'You review.',
  model: { id: 'sonnet', effort: 'high', speed: 'standard', inference_geo: null },
  metadata: { team: 'a', empty: '' },
  mcp_servers: [{ type: 'url', name: 'tracker', url: 'https://tracker.example/mcp' }],
  tools: [
    {
      type: 'agent_toolset_20260401',
      default_config: { enabled: false },
      configs: [
        { name: 'read', enabled: true },
        { name: 'write', type: 'write', enabled: true, permission_policy: ASK },
        { name: 'web_fetch', enabled: true, permission_policy: null, url_sources: null },
      ],
    },
    {
      type: 'mcp_toolset',
      mcp_server_name: 'tracker',
      configs: [{ name: 'search', permission_policy: ALLOW }],
    },
    {
      type: 'custom',
      name: 'look_up',
      description: 'Looks things up.',
      input_schema: {
        type: 'object',
        properties: { q: { type: 'string' } },
        required: ['q'],
        additionalProperties: false,
      },
    },
  ],
  multiagent: null,
  execution_identity: { type: 'service_account' },
  skills: [],
};

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('an agent', () => {
  it('has every default of its tools filled in, as the types of the answer say', async () => {
    const agent = await server.alice.beta.agents.create(FULL);
    const off = { enabled: false, permission_policy: ALLOW };
    expect(agent).toMatchObject({
      description: 'Reads and asks.',
      system: 'You review.',
      model: { id: 'sonnet', effort: { type: 'high' }, speed: 'standard' },
      metadata: { team: 'a', empty: '' },
      mcp_servers: FULL.mcp_servers,
    });
    expect(agent.tools).toEqual([
      {
        type: 'agent_toolset_20260401',
        default_config: off,
        configs: [
          { name: 'read', type: 'read', enabled: true, permission_policy: ALLOW },
          { name: 'write', type: 'write', enabled: true, permission_policy: ASK },
          {
            name: 'web_fetch',
            type: 'web_fetch',
            enabled: true,
            permission_policy: ALLOW,
            url_sources: null,
          },
        ],
      },
      {
        type: 'mcp_toolset',
        mcp_server_name: 'tracker',
        default_config: { enabled: true, permission_policy: ASK },
        configs: [{ name: 'search', enabled: true, permission_policy: ALLOW }],
      },
      FULL.tools?.[2],
    ]);
    expect(await server.alice.beta.agents.retrieve(agent.id)).toEqual(agent);
  });

  it('takes what it gave back: an answer is a valid request', async () => {
    const { name, description, system, model, tools, mcp_servers, metadata } =
      await server.alice.beta.agents.create(FULL);
    const again = await server.alice.beta.agents.create({
      name,
      description,
      system,
      model,
      tools,
      mcp_servers,
      metadata,
    });
    expect(again.tools).toEqual(tools);
    expect(again.model).toEqual(model);
  });

  it('is refused with tools of its own where the operator has switched those off', async () => {
    const { alice } = await catalogServer({ ownTools: false });
    const error = await failure(alice.beta.agents.create(FULL), BadRequestError);
    expect(error).toMatchObject({
      errorCode: 'unsupported_field',
      message: expect.stringContaining('tools.0'),
    });
    const [, ...others] = FULL.tools ?? [];
    const agent = await alice.beta.agents.create({ ...FULL, tools: others });
    await failure(alice.beta.agents.update(agent.id, { tools: FULL.tools ?? [] }), BadRequestError);
    const off = { type: 'agent_toolset_20260401', default_config: { enabled: false } } as const;
    expect((await alice.beta.agents.update(agent.id, { tools: [off, ...others] })).version).toBe(2);
  });

  it('is refused with an MCP server that the operator does not allow, when it is made and when it is changed', async () => {
    const { alice } = await catalogServer({ mcpServerProblem: onlyHttps });
    const wrong = withServer('http://10.0.0.1/mcp');
    const refusal = {
      errorCode: 'unsupported_field',
      message: expect.stringContaining('mcp_servers.0.url (http is not allowed)'),
    };
    expect(await failure(alice.beta.agents.create(wrong), BadRequestError)).toMatchObject(refusal);
    const agent = await alice.beta.agents.create(withServer('https://mcp.example.com/mcp'));
    const { mcp_servers } = wrong;
    const changed = alice.beta.agents.update(agent.id, { mcp_servers: mcp_servers ?? [] });
    expect(await failure(changed, BadRequestError)).toMatchObject(refusal);
  });

  it('is refused with a custom tool whose schema is none, by name', async () => {
    const input_schema = { type: 'object' as const, properties: { a: { type: 'text' } } };
    const broken = { type: 'custom' as const, name: 'x', description: '', input_schema };
    const error = await failure(
      server.alice.beta.agents.create({ ...MINIMAL, tools: [broken] }),
      BadRequestError,
    );
    expect(error).toMatchObject({
      errorCode: 'invalid_request',
      message: expect.stringContaining('tools.0.input_schema'),
    });
  });

  it('names its header for a workspace as ignored, and takes any beta or none', async () => {
    const { response } = await server.alice.beta.agents
      .create({ ...MINIMAL, workspace_id: 'wrkspc_1', betas: ['files-api-2025-04-14'] })
      .withResponse();
    expect(response.headers.get('x-roundhouse-ignored')).toBe('anthropic-workspace-id');
    expect((await server.post('/v1/agents', MINIMAL)).status).toBe(200);
    expect((await server.post('/v1/agents?beta=true', MINIMAL)).status).toBe(200);
  });
});

describe('an update', () => {
  it('keeps what it omits, replaces what it names, and clears by null or empty', async () => {
    const { agents } = server.alice.beta;
    const { id, tools } = await agents.create(FULL);
    const renamed = await agents.update(id, { name: 'Second' });
    expect(renamed).toMatchObject({ version: 2, name: 'Second', system: 'You review.', tools });

    const cleared = await agents.update(id, {
      description: '',
      system: null,
      tools: null,
      mcp_servers: [],
    });
    expect(cleared).toMatchObject({
      version: 3,
      description: null,
      system: null,
      tools: [],
      mcp_servers: [],
      metadata: { team: 'a', empty: '' },
    });
  });

  it('patches metadata key by key', async () => {
    const { agents } = server.alice.beta;
    const { id } = await agents.create(FULL);
    const patched = await agents.update(id, { metadata: { team: null, gone: null, new: 'x' } });
    expect(patched.metadata).toEqual({ empty: '', new: 'x' });
    expect((await agents.update(id, { metadata: null })).version).toBe(2);
  });

  it('replaces the model as a whole, but for the effort', async () => {
    const { agents } = server.alice.beta;
    const { id } = await agents.create(FULL);
    const models = [];
    for (const model of [
      'claude-opus-5-5',
      { id: 'sonnet', effort: { type: 'low' } },
      { id: 'sonnet', effort: null },
    ] as const) {
      models.push((await agents.update(id, { model })).model);
    }
    expect(models).toEqual([
      { id: 'claude-opus-5-5', effort: { type: 'high' }, speed: 'standard' },
      { id: 'sonnet', effort: { type: 'low' }, speed: 'standard' },
      { id: 'sonnet', speed: 'standard' },
    ]);
  });

  it('that changes nothing makes no version, however it is written', async () => {
    const { agents } = server.alice.beta;
    const agent = await agents.create(FULL);
    expect(await agents.update(agent.id, {})).toEqual(agent);
    const same = await agents.update(agent.id, {
      name: FULL.name,
      metadata: { empty: '', team: 'a' },
      tools: agent.tools,
      execution_identity: null,
      version: 1,
    });
    expect(same).toEqual(agent);
    expect((await all(agents.versions.list(agent.id))).length).toBe(1);
  });

  it('fails with 409 when the version is not the one that was seen', async () => {
    const { agents } = server.alice.beta;
    const { id } = await agents.create(MINIMAL);
    expect((await agents.update(id, { name: 'two', version: 1 })).version).toBe(2);
    const error = await failure(agents.update(id, { name: 'three', version: 1 }), ConflictError);
    expect(error).toMatchObject({
      type: 'conflict_error',
      errorCode: 'version_conflict',
      message: expect.stringContaining('version: the agent'),
    });
    // The SDK would send it again by itself, for nothing.
    expect(error.headers.get('x-should-retry')).toBe('false');
    await failure(agents.update(id, { version: 3 }), ConflictError);
    expect(await agents.retrieve(id)).toMatchObject({ version: 2, name: 'two' });
  });

  it('without a version is applied on top of others that come at the same time', async () => {
    const { agents } = server.alice.beta;
    const { id } = await agents.create(MINIMAL);
    const keys = Array.from({ length: 8 }, (_, index) => `key${index}`);
    await Promise.all(keys.map((key) => agents.update(id, { metadata: { [key]: 'x' } })));
    const agent = await agents.retrieve(id);
    expect(Object.keys(agent.metadata).toSorted()).toEqual(keys);
    expect(agent.version).toBe(9);
  });

  it('is checked as a whole: every server needs its toolset, also when only one of them changes', async () => {
    const { agents } = server.alice.beta;
    const { id } = await agents.create(FULL);
    const error = await failure(agents.update(id, { tools: [] }), BadRequestError);
    expect(error.message).toContain('mcp_servers.0.name');
    const other = await failure(agents.update(id, { mcp_servers: null }), BadRequestError);
    expect(other.message).toContain('tools.1.mcp_server_name');
    expect((await agents.update(id, { tools: [], mcp_servers: [] })).version).toBe(2);
  });

  it('can not bring metadata over its bounds bit by bit', async () => {
    const { agents } = server.alice.beta;
    const pairs = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`k${index}`, 'v']));
    const { id } = await agents.create({ ...MINIMAL, metadata: pairs });
    const error = await failure(agents.update(id, { metadata: { more: 'v' } }), BadRequestError);
    expect(error.message).toContain('metadata: expected at most 16 pairs');
    expect((await agents.update(id, { metadata: { more: 'v', k0: null } })).version).toBe(2);
  });
});

describe('versions', () => {
  it('can be read one by one, and stay as they were', async () => {
    const { agents } = server.alice.beta;
    const first = await agents.create(FULL);
    const second = await agents.update(first.id, { system: 'Be strict.' });
    expect(await agents.retrieve(first.id, { version: 1 })).toEqual(first);
    expect(await agents.retrieve(first.id, { version: 2 })).toEqual(second);
    await failure(agents.retrieve(first.id, { version: 3 }), NotFoundError);
    await failure(agents.retrieve(first.id, { version: 0 }), BadRequestError);
  });

  it('come in pages', async () => {
    const { agents } = server.alice.beta;
    const { id } = await agents.create(MINIMAL);
    for (let version = 1; version < 7; version += 1) {
      await agents.update(id, { name: `v${version + 1}` });
    }
    const page = await agents.versions.list(id, { limit: 3 });
    expect(page.data.map(({ version }) => version)).toEqual([7, 6, 5]);
    const seen = await all(agents.versions.list(id, { limit: 3 }));
    expect(seen.map(({ version }) => version)).toEqual([7, 6, 5, 4, 3, 2, 1]);
  });
});

describe('an archived agent', () => {
  it('can be read, and neither be changed nor archived anew', async () => {
    const { agents } = server.alice.beta;
    const { id } = await agents.create(MINIMAL);
    const archived = await agents.archive(id);
    expect(await agents.archive(id)).toEqual(archived);
    expect(await agents.retrieve(id)).toEqual(archived);
    const error = await failure(agents.update(id, { name: 'back' }), BadRequestError);
    expect(error.errorCode).toBe('agent_archived');
    await failure(agents.update(id, {}), BadRequestError);
    expect(await all(agents.list())).toEqual([]);
    expect(await all(agents.list({ include_archived: true }))).toEqual([archived]);
  });
});

describe('a list', () => {
  it('is read to its end by the client, newest first, whatever the size of its pages', async () => {
    const { agents } = server.alice.beta;
    for (let index = 0; index < 25; index += 1) {
      await agents.create({ ...MINIMAL, name: `agent ${index}` });
    }
    const plain = await agents.list();
    expect(plain.data).toHaveLength(20);
    const seen = await all(agents.list({ limit: 7 }));
    expect(new Set(seen.map(({ id }) => id)).size).toBe(25);
    const order = seen.map(({ created_at, id }) => `${created_at} ${id}`);
    expect(order).toEqual(order.toSorted().toReversed());
    expect((await agents.list({ limit: 100, page: null })).data).toHaveLength(25);
  });

  it('takes bounds of the creation, in any time zone', async () => {
    const { agents } = server.alice.beta;
    const { id, created_at } = await agents.create(MINIMAL);
    const at = Date.parse(created_at);
    const inTokyo = `${new Date(at + 9 * 3_600_000).toISOString().slice(0, -1)}+09:00`;
    const within = await agents.list({ 'created_at[gte]': inTokyo, 'created_at[lte]': created_at });
    expect(within.data.map((agent) => agent.id)).toEqual([id]);
    const later = new Date(at + 1).toISOString();
    expect((await agents.list({ 'created_at[gte]': later })).data).toEqual([]);
    expect((await agents.list({ 'created_at[lte]': new Date(at - 1).toISOString() })).data).toEqual(
      [],
    );
  });

  it.each([
    ['limit', { limit: 0 }],
    ['limit', { limit: 101 }],
    ['page cursor', { page: 'nonsense' }],
    ['created_at[gte]', { 'created_at[gte]': 'yesterday' }],
  ])('names %s when it is wrong', async (field, query) => {
    const error = await failure(server.alice.beta.agents.list(query), BadRequestError);
    expect(error.message).toContain(field);
  });

  it('names a parameter that it does not know', async () => {
    const response = await fetch(`${server.url}/v1/agents?order=asc`, {
      headers: { 'x-api-key': 'key-a' },
    });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('order');
  });
});

describe('another key', () => {
  it('finds nothing on any route, as for an agent that never was', async () => {
    const { agents } = server.alice.beta;
    const mine = await agents.create(MINIMAL);
    const attempts = (id: string) => {
      const foreign = server.bob.beta.agents;
      return [
        foreign.retrieve(id),
        foreign.retrieve(id, { version: 1 }),
        foreign.update(id, { name: 'taken' }),
        foreign.update(id, { version: 7 }),
        foreign.archive(id),
        foreign.versions.list(id),
      ];
    };
    const unknown = 'agent_000000000000000000000000';
    const told: string[][] = [];
    for (const id of [mine.id, unknown]) {
      const errors = await Promise.all(attempts(id).map((each) => failure(each, NotFoundError)));
      told.push(errors.map(({ apiMessage }) => (apiMessage ?? '').replaceAll(id, 'ID')));
    }
    expect(told[0]).toEqual(told[1]);
    expect(await all(server.bob.beta.agents.list({ include_archived: true }))).toEqual([]);
    // A cursor of another key's list leads nowhere.
    await agents.create(MINIMAL);
    const { next_page: page } = await agents.list({ limit: 1 });
    expect((await server.bob.beta.agents.list({ page })).data).toEqual([]);
    expect(await agents.retrieve(mine.id)).toEqual(mine);
  });
});

const long = (length: number): string => 'x'.repeat(length);
const many = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
const custom = (over: object) => ({
  type: 'custom',
  name: 'a',
  description: '',
  input_schema: { type: 'object' },
  ...over,
});

/** A list in a list, so many deep. */
function nested(depth: number): unknown[] {
  return depth <= 1 ? [] : [nested(depth - 1)];
}

describe('a body', () => {
  const toolset = { type: 'agent_toolset_20260401' };
  const server1 = { type: 'url', name: 's', url: 'https://s.example' };
  const set1 = { type: 'mcp_toolset', mcp_server_name: 's' };

  it.each<[string, object]>([
    ['body', []],
    ['name', { name: undefined }],
    ['name', { name: '' }],
    ['name', { name: null }],
    ['name', { name: long(257) }],
    ['model', { model: undefined }],
    ['model', { model: 7 }],
    ['model.id', { model: { speed: 'standard' } }],
    ['model.effort', { model: { id: 'sonnet', effort: 'enormous' } }],
    ['model.size', { model: { id: 'sonnet', size: 1 } }],
    ['description', { description: long(2_049) }],
    ['system', { system: long(100_001) }],
    ['system', { system: ['x'] }],
    ['temperature', { temperature: 1 }],
    ['metadata', { metadata: Object.fromEntries(many(17).map((key) => [key, 'v'])) }],
    ['metadata.k', { metadata: { k: long(513) } }],
    ['metadata.k', { metadata: { k: 1 } }],
    ['metadata.k', { metadata: { k: null } }],
    [`metadata.${long(65)}`, { metadata: { [long(65)]: 'v' } }],
    ['tools.0.type', { tools: [{ type: 'bash_20250124', name: 'bash' }] }],
    ['tools.0.configs.0.name', { tools: [{ ...toolset, configs: [{ name: 'Bash' }] }] }],
    [
      'tools.0.configs.0.type',
      { tools: [{ ...toolset, configs: [{ name: 'bash', type: 'read' }] }] },
    ],
    [
      'tools.0.configs.1.name',
      { tools: [{ ...toolset, configs: [{ name: 'bash' }, { name: 'bash' }] }] },
    ],
    [
      'tools.0.configs.0.timeout',
      { tools: [{ ...toolset, configs: [{ name: 'bash', timeout: 1 }] }] },
    ],
    ['tools.0.default_config.enabled', { tools: [{ ...toolset, default_config: { enabled: 1 } }] }],
    [
      'tools.0.default_config.permission_policy.type',
      { tools: [{ ...toolset, default_config: { permission_policy: { type: 'never' } } }] },
    ],
    ['tools.1', { tools: [toolset, toolset] }],
    ['tools.0.name', { tools: [custom({ name: 'a b' })] }],
    ['tools.0.name', { tools: [custom({ name: long(129) })] }],
    ['tools.1', { tools: [custom({}), custom({ description: 'another' })] }],
    ['tools.0.description', { tools: [custom({ description: undefined })] }],
    ['tools.0.input_schema.type', { tools: [custom({ input_schema: { type: 'array' } })] }],
    [
      'tools.0.input_schema',
      { tools: [custom({ input_schema: { type: 'object', x: nested(100) } })] },
    ],
    [
      'tools.0.configs',
      {
        mcp_servers: [server1],
        tools: [{ ...set1, configs: many(257).map((name) => ({ name })) }],
      },
    ],
    ['tools', { tools: many(257).map((name) => custom({ name })) }],
    ['tools', { tools: [toolset, ...many(249).map((name) => custom({ name }))] }],
    ['mcp_servers.0.url', { mcp_servers: [{ ...server1, url: 'file:///etc' }], tools: [set1] }],
    ['mcp_servers.0.name', { mcp_servers: [{ ...server1, name: long(256) }] }],
    ['mcp_servers.0.headers', { mcp_servers: [{ ...server1, headers: {} }], tools: [set1] }],
    ['mcp_servers.0.name', { mcp_servers: [server1] }],
    ['mcp_servers.1.name', { mcp_servers: [server1, server1], tools: [set1] }],
    ['tools.0.mcp_server_name', { tools: [set1] }],
    ['tools.1', { mcp_servers: [server1], tools: [set1, set1] }],
    [
      'tools.0.configs.0.name',
      { mcp_servers: [server1], tools: [{ ...set1, configs: [{ name: '' }] }] },
    ],
    [
      'mcp_servers',
      {
        mcp_servers: many(21).map((name) => ({ ...server1, name })),
        tools: many(21).map((name) => ({ ...set1, mcp_server_name: name })),
      },
    ],
    ['version', { version: 1 }],
  ])(
    'that is nearly right is refused with the name of what is wrong: %s (%#)',
    async (field, over) => {
      const body = Array.isArray(over) ? over : { ...MINIMAL, ...over };
      const refused = await server.post('/v1/agents', body);
      expect(refused).toMatchObject({
        status: 400,
        body: { error: { details: { error_code: 'invalid_request' } } },
      });
      expect(JSON.stringify(refused.body)).toContain(`${field}: `);
      expect(await all(server.alice.beta.agents.list())).toEqual([]);
    },
  );

  const webSettings: [name: string, field: string, value: unknown][] = [
    ['web_fetch', 'allowed_domains', ['a.example']],
    ['web_fetch', 'blocked_domains', []],
    ['web_fetch', 'max_content_tokens', 100],
    ['web_fetch', 'url_sources', { user_input: 'none' }],
    ['web_search', 'allowed_domains', ['a.example']],
    ['web_search', 'blocked_domains', ['a.example']],
    ['web_search', 'user_location', { type: 'approximate' }],
  ];

  it.each<[string, object]>([
    ['skills', { skills: [{ type: 'anthropic', skill_id: 'xlsx' }] }],
    ['multiagent', { multiagent: { type: 'multiagent_20261001' } }],
    ['execution_identity', { execution_identity: { type: 'aws_role', role_arn: 'arn' } }],
    ['model.speed', { model: { id: 'sonnet', speed: 'fast' } }],
    ['model.inference_geo', { model: { id: 'sonnet', inference_geo: 'us' } }],
    [
      'tools.0.default_config.permission_policy.type',
      { tools: [{ ...toolset, default_config: { permission_policy: { type: 'auto' } } }] },
    ],
    [
      'tools.0.configs.0.permission_policy.type',
      { tools: [{ ...toolset, configs: [{ name: 'bash', permission_policy: { type: 'auto' } }] }] },
    ],
    [
      'tools.0.default_config.permission_policy.type',
      {
        mcp_servers: [server1],
        tools: [{ ...set1, default_config: { permission_policy: { type: 'auto' } } }],
      },
    ],
    ...webSettings.map(([name, field, value]): [string, object] => [
      `tools.0.configs.0.${field}`,
      { tools: [{ ...toolset, configs: [{ name, [field]: value }] }] },
    ]),
  ])('that asks for what this host can not do is refused by name: %s (%#)', async (field, over) => {
    for (const path of [
      '/v1/agents',
      `/v1/agents/${(await server.alice.beta.agents.create(MINIMAL)).id}`,
    ]) {
      const refused = await server.post(path, { ...MINIMAL, ...over });
      expect(refused).toMatchObject({
        status: 400,
        body: { error: { details: { error_code: 'unsupported_field' } } },
      });
      expect(JSON.stringify(refused.body)).toContain(`server: ${field} (`);
    }
    expect((await all(server.alice.beta.agents.list())).map(({ version }) => version)).toEqual([1]);
  });

  it.each<[string, object]>([
    ['name', { name: null }],
    ['name', { name: '' }],
    ['model', { model: null }],
    ['version', { version: 0 }],
    ['version', { version: 1.5 }],
    ['version', { version: '1' }],
    ['metadata.k', { metadata: { k: 1 } }],
    ['id', { id: 'agent_1' }],
  ])('of an update that is nearly right names what is wrong: %s (%#)', async (field, body) => {
    const { id } = await server.alice.beta.agents.create(MINIMAL);
    const refused = await server.post(`/v1/agents/${id}`, body);
    expect(refused.status).toBe(400);
    expect(JSON.stringify(refused.body)).toContain(`${field}: `);
    expect((await server.alice.beta.agents.retrieve(id)).version).toBe(1);
  });

  it('names a model that is not offered, with 404 as for a message', async () => {
    for (const model of ['gpt-x', { id: 'gpt-x' }]) {
      const error = await failure(
        server.alice.beta.agents.create({ ...MINIMAL, model }),
        NotFoundError,
      );
      expect(error).toMatchObject({
        errorCode: 'model_not_found',
        message: expect.stringContaining('model: '),
      });
    }
  });

  it('may reach every limit', async () => {
    const agent = await server.alice.beta.agents.create({
      model: 'sonnet',
      name: long(256),
      description: long(2_048),
      system: long(100_000),
      metadata: Object.fromEntries(many(16).map((key) => [key.padEnd(64, 'k'), long(512)])),
      mcp_servers: many(20).map((name) => ({
        type: 'url',
        name: name.padEnd(255, 's'),
        url: 'http://127.0.0.1:1/mcp',
      })),
      tools: [
        { type: 'agent_toolset_20260401' },
        ...many(20).map((name) => ({
          type: 'mcp_toolset' as const,
          mcp_server_name: name.padEnd(255, 's'),
        })),
        ...many(228).map((name) => ({
          type: 'custom' as const,
          name: name.padEnd(128, 't'),
          description: '',
          input_schema: { type: 'object' as const, deep: nested(99) },
        })),
      ],
    });
    expect(await server.alice.beta.agents.retrieve(agent.id)).toEqual(agent);
  });
});
