import { BadRequestError, ConflictError, NotFoundError, RateLimitError } from '@anthropic-ai/sdk';
import type { Anthropic } from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsSession,
  SessionCreateParams,
  SessionListParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type { EnvironmentCreateParams } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { poolOptionsSchema } from '../../src/pool/options.ts';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';
import { prompt, textOf } from '../support/official-client.ts';
import { HANGS, scriptOf, worksFor } from '../support/scripts.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
/** Machines that run tests may be slow. */
const WITHIN = { timeout: 10_000, interval: 20 };
const UNKNOWN = 'sesn_000000000000000000000000';
const SCRIPT = scriptOf({
  hang: HANGS,
  work: worksFor(300),
  'Where is my order #1234?': worksFor(1_000, 'On its way.'),
});

let server: CatalogServer;
/** An agent and an environment of alice. */
let made: { agent: string; environment_id: string };

type Create = EnvironmentCreateParams & { roundhouse?: object };

async function start(options: Parameters<typeof catalogServer>[0] = {}): Promise<void> {
  server = await catalogServer({
    ...options,
    pool: { driver: { script: SCRIPT }, ...options.pool },
  });
  made = { agent: await anAgent(), environment_id: await anEnvironment() };
}

beforeEach(() => start());

async function anAgent(client: Anthropic = server.alice): Promise<string> {
  const { id } = await client.beta.agents.create({
    model: 'claude-opus-5-5',
    name: 'Reviewer',
    system: 'You review.',
    tools: [{ type: 'agent_toolset_20260401', configs: [{ name: 'bash', enabled: false }] }],
    metadata: { team: 'a' },
  });
  return id;
}

async function anEnvironment(
  over: Partial<Create> = {},
  client: Anthropic = server.alice,
): Promise<string> {
  const params: Create = { name: 'here', ...over };
  return (await client.beta.environments.create(params)).id;
}

/** Resolves a moment later than the session was made, so that no two are of the same one. */
async function create(over: Partial<SessionCreateParams> = {}): Promise<BetaManagedAgentsSession> {
  const session = await server.alice.beta.sessions.create({ ...made, ...over });
  const madeAt = Date.parse(session.created_at);
  await vi.waitFor(() => expect(Date.now()).toBeGreaterThan(madeAt), { interval: 1 });
  return session;
}

async function agentFor(
  agent: SessionCreateParams['agent'],
): Promise<BetaManagedAgentsSession['agent']> {
  return (await create({ agent })).agent;
}

function file(file_id: string, mount_path?: string) {
  return { type: 'file', file_id, ...(mount_path !== undefined && { mount_path }) } as const;
}

function limit(amount: string) {
  return { type: 'limit', max_list_cost: { amount, currency: 'USD' } } as const;
}

function withVariables(value: string) {
  return { roundhouse: { variables: { APP_TOKEN: { value, secret: true } } } };
}

function say(text: string): NonNullable<SessionCreateParams['initial_events']> {
  return [{ type: 'user.message', content: [{ type: 'text', text }] }];
}

function retrieve(id: string): Promise<BetaManagedAgentsSession> {
  return server.alice.beta.sessions.retrieve(id);
}

/** Waits until the session does that. */
async function reaches(
  id: string,
  status: BetaManagedAgentsSession['status'],
): Promise<BetaManagedAgentsSession> {
  return vi.waitFor(async () => {
    const session = await retrieve(id);
    expect(session.status).toBe(status);
    return session;
  }, WITHIN);
}

/** Ids of a listing, over all of its pages. */
async function ids(query: SessionListParams = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of server.alice.beta.sessions.list(query)) found.push(id);
  return found;
}

/** Bodies of the session's records. */
async function eventsOf(id: string): Promise<object[]> {
  const records = await server.fixture.pool.readEvents('alice', id, { after: 0, limit: 100 });
  return records.map(({ body }) => body);
}

/** Sessions in the store, of whatever key. */
async function rows(): Promise<readonly unknown[]> {
  const { store } = server.fixture;
  return (await store.listSessions({ limit: 10 })).sessions;
}

describe('what a session is made of', () => {
  it('is the agent as it holds, at a version, or with what the session has of its own', async () => {
    const { alice } = server;
    await alice.beta.agents.update(made.agent, { system: 'Second.' });
    const { agent: id } = made;
    const own = [{ type: 'url', name: 'tracker', url: 'https://tracker.example/mcp' }] as const;
    expect(await agentFor(id)).toMatchObject({ version: 2, system: 'Second.' });
    expect(await agentFor({ type: 'agent', id })).toMatchObject({ version: 2 });
    expect(await agentFor({ type: 'agent', id, version: 1 })).toMatchObject({
      version: 1,
      system: 'You review.',
    });
    expect(
      await agentFor({
        type: 'agent_with_overrides',
        id,
        version: 1,
        model: { id: 'sonnet', effort: 'high' },
        system: null,
        tools: [{ type: 'mcp_toolset', mcp_server_name: 'tracker' }],
        mcp_servers: [...own],
        skills: [],
      }),
    ).toMatchObject({
      id,
      version: 1,
      name: 'Reviewer',
      model: { id: 'sonnet', effort: { type: 'high' }, speed: 'standard' },
      system: null,
      tools: [{ type: 'mcp_toolset', mcp_server_name: 'tracker' }],
      mcp_servers: own,
    });
    // The agent is as it was.
    expect(await alice.beta.agents.retrieve(id)).toMatchObject({ version: 2, system: 'Second.' });
  });

  it('stays as it was when the agent changes', async () => {
    const { id } = await create();
    await server.alice.beta.agents.update(made.agent, { system: 'Second.' });
    await server.alice.beta.agents.archive(made.agent);
    expect((await retrieve(id)).agent).toMatchObject({ version: 1, system: 'You review.' });
    await failure(create(), BadRequestError);
  });

  it("becomes the agent's options, and the workspace", async () => {
    await start({
      folderAllowed: () => true,
      pool: { workspaces: { allowed: ['/srv'] }, driver: { script: SCRIPT } },
    });
    const workspace = { type: 'folder', path: '/srv/project' };
    const environment_id = await anEnvironment({ roundhouse: { workspace } });
    const { id } = await create({ environment_id, initial_events: say('hello') });
    await reaches(id, 'idle');
    const [process] = server.fixture.driver.processes;
    expect(process?.spec).toMatchObject({
      sessionId: id,
      workspace: '/srv/project',
      options: {
        model: 'claude-opus-5-5',
        systemPrompt: { mode: 'replace', text: 'You review.' },
        tools: ['Read', 'Write', 'Edit', 'Glob', 'Grep', 'WebFetch', 'WebSearch'],
      },
    });
    server.fixture.host.found.set('/srv/project', { found: 'nothing' });
    const gone = await failure(create({ environment_id }), BadRequestError);
    expect(gone.errorCode).toBe('workspace_unavailable');
    expect(await ids()).toEqual([id]);
  });

  it('is kept: title, metadata, budget', async () => {
    const budget = { type: 'limit', max_list_cost: { amount: '2500', currency: 'USD' } } as const;
    const given = { title: 'Order', metadata: { a: '1' }, budget };
    const { id } = await create({ ...given, vault_ids: [] });
    expect(await retrieve(id)).toMatchObject(given);
    expect((await create({ title: '' })).title).toBeNull();
  });

  it('must be there and in use', async () => {
    const { alice, bob } = server;
    const theirs = { agent: await anAgent(bob), environment_id: await anEnvironment({}, bob) };
    await failure(create({ agent: theirs.agent }), NotFoundError);
    await failure(create({ environment_id: theirs.environment_id }), NotFoundError);
    await failure(create({ agent: { type: 'agent', id: made.agent, version: 2 } }), NotFoundError);
    await alice.beta.environments.archive(made.environment_id);
    const archived = await failure(create(), BadRequestError);
    expect(archived.errorCode).toBe('environment_archived');
    made.environment_id = await anEnvironment();
    await alice.beta.agents.archive(made.agent);
    expect((await failure(create(), BadRequestError)).errorCode).toBe('agent_archived');
    expect(await rows()).toEqual([]);
  });

  it.each([
    [{ agent: { type: 'agent_with_overrides', skills: [{}] } }, 'agent.skills'],
    [{ agent: { type: 'agent_with_overrides', model: 'gpt' } }, 'model: expected one of'],
    [{ agent: { type: 'other' } }, 'agent.type'],
    [
      {
        agent: {
          type: 'agent_with_overrides',
          mcp_servers: [{ type: 'url', name: 'a', url: 'http://a' }],
        },
      },
      'mcp_servers.0.name',
    ],
    [{ vault_ids: ['vlt_1'] }, 'vault_ids (there are no vaults'],
    [{ resources: [{ type: 'github_repository', url: 'https://x' }] }, 'a clone of a repository'],
    [{ resources: [{ type: 'memory_store', memory_store_id: 'm' }] }, 'no memory stores'],
    [{ resources: [{ type: 'file', file_id: 'file_1' }] }, 'resources'],
    [{ initial_events: [{ type: 'user.define_outcome', description: 'x' }] }, 'outcomes'],
    [{ initial_events: [{ type: 'user.interrupt' }] }, 'initial_events.0.type'],
    [{ initial_events: [{ type: 'user.message', content: [] }] }, 'initial_events.0.content'],
    [
      { initial_events: [{ type: 'user.message', content: [{ type: 'redacted' }] }] },
      'the agent needs the text',
    ],
    [
      {
        initial_events: [
          {
            type: 'user.message',
            content: [{ type: 'image', source: { type: 'file', file_id: '' } }],
          },
        ],
      },
      'initial_events.0.content.0.source.file_id',
    ],
    [{ budget: { type: 'limit', max_list_cost: { amount: '1.5', currency: 'USD' } } }, 'amount'],
    [{ budget: { type: 'limit', max_list_cost: { amount: '0', currency: 'USD' } } }, 'amount'],
    [{ metadata: { a: 1 } }, 'metadata.a'],
    [{ deployment_id: 'd' }, 'deployment_id'],
  ])('is refused by name where it can not be: %j', async (over, named) => {
    const agent = { id: made.agent, ...('agent' in over ? over.agent : {}) };
    const body = { ...made, ...over, ...('agent' in over && { agent }) };
    const refusal = await server.post('/v1/sessions', body);
    expect(refusal.status).toBe(named.startsWith('model:') ? 404 : 400);
    expect(JSON.stringify(refusal.body)).toContain(named);
    expect(await rows()).toEqual([]);
  });

  it('has its files in place before it is prompted, or is not there', async () => {
    const placed: object[] = [];
    await start({
      placeFiles: async (session, resources) => {
        if (resources.some(({ file_id }) => file_id === 'file_none')) throw new Error('no file');
        placed.push({ workspace: session.workspace, resources });
      },
    });
    const session = await create({ resources: [file('file_1'), file('file_2', '/a/b.txt')] });
    expect(session.resources).toEqual([
      {
        type: 'file',
        id: expect.stringMatching(/^sesrsc_[0-9a-z]{24}$/),
        file_id: 'file_1',
        mount_path: '/mnt/session/uploads/file_1',
        created_at: expect.stringMatching(TIME),
        updated_at: expect.stringMatching(TIME),
      },
      expect.objectContaining({ file_id: 'file_2', mount_path: '/a/b.txt' }),
    ]);
    expect(placed).toMatchObject([
      { workspace: `/workspaces/${session.id}`, resources: [{ file_id: 'file_1' }, {}] },
    ]);
    await failure(create({ resources: [file('file_none')] }), Error);
    const twice = create({ resources: [file('a', '/a/x'), file('b', '/a/x')] });
    expect((await failure(twice, BadRequestError)).message).toMatch(
      /"resources\.1\.mount_path: expected a different one .*, got \\"\/a\/x\\""/,
    );
    // Both stand where no word was said of it.
    const unsaid = create({ resources: [file('a'), file('a')] });
    expect((await failure(unsaid, BadRequestError)).message).toMatch(
      /"resources\.1\.mount_path: expected .* \(\\"\/mnt\/session\/uploads\/a\\" stands there twice\), got nothing"/,
    );
    expect(await ids()).toEqual([session.id]);
    expect(await rows()).toHaveLength(1);
  });
});

describe('a new session', () => {
  it('waits for no process, and takes one that is ready', async () => {
    await start({
      pool: {
        pool: { spares: { ...poolOptionsSchema.parse({}).spares, max: 1 } },
        driver: { script: SCRIPT },
      },
    });
    const { driver } = server.fixture;
    const first = await create();
    expect(driver.processes).toHaveLength(0);
    // What was asked for once is prepared for the next one.
    await vi.waitFor(() => expect(server.fixture.pool.stats().spares.ready).toBe(1), WITHIN);
    const second = await create();
    expect([second.id, driver.processes.length]).toEqual([driver.processes[0]?.spec.sessionId, 1]);
    expect((await server.fixture.pool.getSessionInfo('alice', second.id))?.status).toBe('idle');
    expect((await server.fixture.pool.getSessionInfo('alice', first.id))?.status).toBe(
      'disconnected',
    );
    // It is one like any other: it stays although nobody has used it.
    const { id } = await create({ initial_events: say('hello') });
    await reaches(id, 'idle');
    expect(await ids()).toEqual([id, second.id, first.id]);
  });

  it('is the one that other routes reach by its id', async () => {
    const { id } = await create();
    const answer = await server.alice.messages.create(prompt('hello'), {
      headers: { 'x-session-id': id },
    });
    expect(textOf(answer)).toBe('You said: hello. Before: nothing.');
    expect(await retrieve(id)).toMatchObject({ usage: { input_tokens: 10 } });
    await server.alice.messages.create(prompt('by name'), { headers: { 'x-session-id': 'named' } });
    expect(await ids()).toEqual([id]);
    await failure(retrieve('named'), NotFoundError);
  });

  it('counts against the limit of its key', async () => {
    await start({ pool: { tenantLimits: new Map([['alice', { maxSessions: 2 }]]) } });
    const { id } = await create();
    await create();
    expect((await failure(create(), RateLimitError)).errorCode).toBe('session_limit_reached');
    expect(await ids()).toHaveLength(2);
    await server.alice.beta.sessions.delete(id);
    await create();
  });

  it('is not there when its prompts are refused', async () => {
    await start({ pool: { pool: { maxQueuedTurns: 1 }, driver: { script: SCRIPT } } });
    const events = [...say('hang'), ...say('two'), ...say('three'), ...say('four')];
    await failure(create({ initial_events: events }), Error);
    expect(await ids()).toEqual([]);
    expect(await rows()).toEqual([]);
    expect(server.fixture.host.workspaces.size).toBe(0);
  });

  it('is not there when the store fails in the middle', async () => {
    const { store } = server.fixture;
    vi.spyOn(store, 'createSession').mockRejectedValueOnce(new Error('disk full'));
    await failure(create(), Error);
    expect(await ids()).toEqual([]);
    expect(server.fixture.host.workspaces.size).toBe(0);
    expect(await ids({ include_archived: true })).toEqual([]);
  });
});

describe('the state of a session', () => {
  it('follows what it does', async () => {
    const { id } = await create();
    expect(await retrieve(id)).toMatchObject({ status: 'idle', stats: { active_seconds: 0 } });
    const client = await server.fixture.pool.findClient('alice', id);
    await client.prompt([{ type: 'text', text: 'work' }]);
    await client.prompt([{ type: 'text', text: 'hang' }]);
    await reaches(id, 'running');
    await vi.waitFor(async () => {
      const { stats } = await retrieve(id);
      expect(stats.active_seconds).toBeGreaterThan(0.3);
      expect(stats.duration_seconds).toBeGreaterThanOrEqual(stats.active_seconds ?? 0);
    }, WITHIN);
    // Which of the two runs by now depends on the machine.
    while (client.busy) await client.interrupt();
    const { stats, usage, updated_at, created_at } = await reaches(id, 'idle');
    expect(usage.active_seconds).toBe(stats.active_seconds);
    expect(updated_at > created_at).toBe(true);
    // What has ended does not grow.
    expect((await retrieve(id)).stats.active_seconds).toBe(stats.active_seconds);
  });

  it('outlives the memory that it was in', async () => {
    await start({ pool: { pool: { maxSessions: 1 }, driver: { script: SCRIPT } } });
    const { id } = await create({ initial_events: say('work') });
    await reaches(id, 'idle');
    const before = await retrieve(id);
    expect(before.stats.active_seconds).toBeGreaterThan(0.25);
    const other = await create();
    await vi.waitFor(() => server.fixture.pool.findClient('alice', other.id), WITHIN);
    expect(await server.fixture.pool.getSessionInfo('alice', id)).toMatchObject({
      status: 'disconnected',
      reused: false,
    });
    const { stats, usage } = await retrieve(id);
    expect({ ...stats, ...usage }).toEqual({
      ...before.stats,
      ...before.usage,
      duration_seconds: stats.duration_seconds,
    });
  });
});

describe('a listing', () => {
  it('goes both ways', async () => {
    const created: string[] = [];
    for (let count = 0; count < 5; count += 1) created.unshift((await create()).id);
    const { sessions } = server.alice.beta;
    const sorted = await ids();
    expect(sorted.toSorted()).toEqual(created.toSorted());
    const first = await sessions.list({ limit: 2 });
    expect(first.prev_page).toBeNull();
    const second = await first.getNextPage();
    const third = await second.getNextPage();
    expect(third.hasNextPage()).toBe(false);
    expect([first, second, third].flatMap(({ data }) => data.map(({ id }) => id))).toEqual(sorted);
    const back = await sessions.list({ limit: 2, page: third.prev_page });
    expect(back.data.map(({ id }) => id)).toEqual(sorted.slice(2, 4));
    expect((await sessions.list({ limit: 2, page: back.prev_page })).prev_page).toBeNull();
    expect(await ids({ limit: 2, order: 'asc' })).toEqual(sorted.toReversed());
    await failure(sessions.list({ page: 'nonsense' }), BadRequestError);
  });

  it('is narrowed by every filter', async () => {
    const agent = await anAgent();
    const a = await create();
    await server.alice.beta.agents.update(agent, { name: 'b' });
    const b = await create({ agent });
    const c = await create({ agent: { type: 'agent', id: agent, version: 1 } });
    expect(await ids({ agent_id: agent })).toEqual([c.id, b.id]);
    expect(await ids({ agent_id: agent, agent_version: 2 })).toEqual([b.id]);
    await failure(ids({ agent_version: 2 }), BadRequestError);
    expect(await ids({ agent_id: 'agent_none' })).toEqual([]);
    expect(await ids({ 'created_at[gte]': a.created_at })).toContain(a.id);
    expect(await ids({ 'created_at[gt]': c.created_at })).toEqual([]);
    expect(await ids({ 'created_at[lte]': a.created_at })).toEqual([a.id]);
    expect(await ids({ 'created_at[lt]': a.created_at })).toEqual([]);
    expect(
      await ids({ 'created_at[gt]': a.created_at, 'created_at[lte]': c.created_at }),
    ).not.toContain(a.id);
    await server.alice.beta.sessions.archive(b.id);
    expect(await ids()).toEqual([c.id, a.id]);
    expect(await ids({ include_archived: true })).toEqual([c.id, b.id, a.id]);
    for (const query of [{ deployment_id: 'd' }, { memory_store_id: 'm' }]) {
      const [name = ''] = Object.keys(query);
      expect((await failure(ids(query), BadRequestError)).message).toContain(name);
    }
  });

  it('is narrowed to what sessions do', async () => {
    const resting = await create();
    const running = await create({ initial_events: say('hang') });
    await reaches(running.id, 'running');
    expect(await ids({ statuses: ['running'] })).toEqual([running.id]);
    expect(await ids({ statuses: ['idle'] })).toEqual([resting.id]);
    expect(await ids({ statuses: ['idle', 'running'] })).toEqual([running.id, resting.id]);
    expect(await ids({ statuses: ['rescheduling', 'terminated'] })).toEqual([]);
    const repeated = await fetch(`${server.url}/v1/sessions?statuses=idle&statuses=running`, {
      headers: { 'x-api-key': 'key-a' },
    });
    expect(await repeated.json()).toMatchObject({ data: [{}, {}] });
  });
});

describe('an update', () => {
  it('changes what it names, and tells just that', async () => {
    const { id } = await create({ title: 'a', metadata: { one: '1', two: '2' } });
    const { sessions } = server.alice.beta;
    const changed = await sessions.update(id, { title: 'b', metadata: { one: null, three: '3' } });
    expect(changed).toMatchObject({ title: 'b', metadata: { two: '2', three: '3' } });
    const named = {
      type: 'session.updated',
      id: expect.any(String),
      processed_at: expect.any(String),
    };
    expect(await eventsOf(id)).toEqual([
      { ...named, title: 'b', metadata: { two: '2', three: '3' } },
    ]);
    await sessions.update(id, { title: 'b' });
    await sessions.update(id, { metadata: { two: null, three: null } });
    await sessions.update(id, { title: null });
    expect((await eventsOf(id)).slice(1)).toEqual([named, { ...named, title: null }]);
    expect(await retrieve(id)).toMatchObject({ title: null, metadata: {} });
  });

  it('of the agent holds from the next turn on, in a new process', async () => {
    const { id } = await create({ initial_events: say('one') });
    await reaches(id, 'idle');
    const agent = { tools: [{ type: 'agent_toolset_20260401', configs: [{ name: 'bash' }] }] };
    const updated = await server.alice.beta.sessions.update(id, {
      agent: { tools: [{ type: 'agent_toolset_20260401', configs: [{ name: 'bash' }] }] },
    });
    expect(updated.agent).toMatchObject({ version: 1, ...agent });
    expect((await eventsOf(id)).at(-1)).toMatchObject({
      type: 'session.updated',
      agent: updated.agent,
    });
    expect((await server.alice.beta.agents.retrieve(made.agent)).version).toBe(1);
    await server.alice.messages.create(prompt('two'), { headers: { 'x-session-id': id } });
    const [first, second] = server.fixture.driver.processes;
    expect(first?.spec.options.tools).not.toContain('Bash');
    expect(second?.spec).toMatchObject({ resume: true });
    expect(second?.spec.options.tools).toContain('Bash');
  });

  it('of the agent is refused while it runs, and where it is none', async () => {
    const { id } = await create({ initial_events: say('hang') });
    const { sessions } = server.alice.beta;
    await reaches(id, 'running');
    const busy = await failure(sessions.update(id, { agent: { tools: [] } }), ConflictError);
    expect(busy.errorCode).toBe('session_busy');
    expect(await sessions.update(id, { title: 'works' })).toMatchObject({ title: 'works' });
    await server.fixture.pool.interruptSession('alice', id);
    await reaches(id, 'idle');
    const odd = { agent: { tools: [{ type: 'mcp_toolset', mcp_server_name: 'x' }] } } as const;
    await failure(sessions.update(id, { agent: { tools: [...odd.agent.tools] } }), BadRequestError);
    for (const body of [
      { agent: { system: 'x' } },
      { vault_ids: ['vlt_1'] },
      { resources: [] },
      { metadata: { a: 1 } },
    ]) {
      expect(await server.post(`/v1/sessions/${id}`, body)).toMatchObject({ status: 400 });
    }
  });

  it('replaces or removes a budget, and never adds one', async () => {
    const { sessions } = server.alice.beta;
    const without = await create();
    const refused = await failure(
      sessions.update(without.id, { budget: limit('5') }),
      BadRequestError,
    );
    expect(refused.message).toContain('budget_create_only');
    const { id } = await create({ budget: limit('5') });
    expect((await sessions.update(id, { budget: limit('6') })).budget).toEqual(limit('6'));
    const client = await server.fixture.pool.findClient('alice', id);
    const { usage, epoch } = client.row;
    await server.fixture.store.append(id, epoch, [], { usage: { ...usage, costUsd: 0.031 } });
    vi.spyOn(client, 'row', 'get').mockReturnValue({
      ...client.row,
      usage: { ...usage, costUsd: 0.031 },
    });
    expect((await retrieve(id)).usage.list_cost).toEqual({ amount: '4', currency: 'USD' });
    const low = await failure(sessions.update(id, { budget: limit('4') }), BadRequestError);
    expect(low.message).toContain('budget_not_raised');
    expect((await sessions.update(id, { budget: null })).budget).toBeNull();
    await failure(sessions.update(id, { budget: limit('9') }), BadRequestError);
    expect((await eventsOf(id)).at(-1)).toMatchObject({ budget: null });
  });
});

describe('an archived session', () => {
  it('takes no more events by any route, and can be read', async () => {
    const { id } = await create({ initial_events: say('hello') });
    await reaches(id, 'idle');
    const { sessions } = server.alice.beta;
    const archived = await sessions.archive(id);
    expect(await sessions.archive(id)).toMatchObject({ archived_at: archived.archived_at });
    expect(await retrieve(id)).toMatchObject({ archived_at: archived.archived_at });
    const call = server.alice.messages.create(prompt('more'), { headers: { 'x-session-id': id } });
    expect((await failure(call, BadRequestError)).errorCode).toBe('session_archived');
    const change = sessions.update(id, { title: 'b' });
    expect((await failure(change, BadRequestError)).errorCode).toBe('session_archived');
    expect(server.fixture.driver.alive).toEqual([]);
    expect((await eventsOf(id)).length).toBeGreaterThan(2);
    expect(await ids()).toEqual([]);
    await sessions.delete(id);
    expect(await ids({ include_archived: true })).toEqual([]);
  });

  it('stays archived when it has left memory', async () => {
    await start({ pool: { pool: { maxSessions: 1 }, driver: { script: SCRIPT } } });
    const { id } = await create();
    await server.alice.beta.sessions.archive(id);
    const other = await create();
    await vi.waitFor(() => server.fixture.pool.findClient('alice', other.id), WITHIN);
    const client = await vi.waitFor(() => server.fixture.pool.findClient('alice', id), WITHIN);
    await expect(client.prompt([{ type: 'text', text: 'x' }])).rejects.toMatchObject({
      code: 'session_archived',
    });
  });

  it('is not made of one that runs, nor is that deleted', async () => {
    const { id } = await create({ initial_events: say('hang') });
    const { sessions } = server.alice.beta;
    await reaches(id, 'running');
    expect((await failure(sessions.archive(id), ConflictError)).errorCode).toBe('session_busy');
    expect((await failure(sessions.delete(id), ConflictError)).errorCode).toBe('session_busy');
    await server.fixture.pool.interruptSession('alice', id);
    await reaches(id, 'idle');
    await sessions.archive(id);
  });
});

describe("an environment's variables", () => {
  it('reach the processes as they are at the start, and stand nowhere else', async () => {
    const environment_id = await anEnvironment(withVariables('first-secret'));
    const { id } = await create({ environment_id, initial_events: say('one') });
    await reaches(id, 'idle');
    const params: Parameters<typeof server.alice.beta.environments.update>[1] &
      ReturnType<typeof withVariables> = withVariables('second-secret');
    await server.alice.beta.environments.update(environment_id, params);
    await server.alice.beta.sessions.update(id, { agent: { tools: [] } });
    await server.alice.messages.create(prompt('two'), { headers: { 'x-session-id': id } });
    expect(server.fixture.driver.processes.map(({ spec }) => spec.variables)).toEqual([
      { APP_TOKEN: { value: 'first-secret', secret: true } },
      { APP_TOKEN: { value: 'second-secret', secret: true } },
    ]);
    const { fixture } = server;
    const told = [
      await eventsOf(id),
      await rows(),
      fixture.lines,
      fixture.counted,
      await retrieve(id),
      fixture.driver.processes.map(({ spec }) => spec.options),
    ];
    expect(JSON.stringify(told)).not.toContain('-secret');
  });

  it('keep what was prepared for others away', async () => {
    await start({
      pool: {
        pool: { spares: { ...poolOptionsSchema.parse({}).spares, max: 1 } },
        driver: { script: SCRIPT },
      },
    });
    await create();
    await vi.waitFor(() => expect(server.fixture.pool.stats().spares.ready).toBe(1), WITHIN);
    const environment_id = await anEnvironment(withVariables('a-secret'));
    const { id } = await create({ environment_id, initial_events: say('one') });
    await reaches(id, 'idle');
    const mine = server.fixture.driver.processes.filter(({ spec }) => spec.sessionId === id);
    expect(mine.map(({ spec }) => spec.variables?.['APP_TOKEN']?.value)).toEqual(['a-secret']);
  });

  it('start no process when the operator allows them no more', async () => {
    let allowed = true;
    await start({ variableAllowed: () => allowed });
    const environment_id = await anEnvironment(withVariables('a-secret'));
    const { id } = await create({ environment_id });
    allowed = false;
    const call = server.alice.messages.create(prompt('x'), { headers: { 'x-session-id': id } });
    const refusal = await failure(call, BadRequestError);
    expect(refusal.message).toContain('APP_TOKEN');
    expect(server.fixture.driver.processes).toEqual([]);
    await failure(create({ environment_id }), BadRequestError);
  });

  it('can not be deleted from under a session', async () => {
    const { id } = await create();
    await server.alice.beta.sessions.archive(id);
    const { environments } = server.alice.beta;
    const refusal = await failure(environments.delete(made.environment_id), ConflictError);
    expect(refusal.errorCode).toBe('environment_in_use');
    expect(refusal.message).toContain(id);
    await server.alice.beta.sessions.delete(id);
    await environments.delete(made.environment_id);
  });
});

it('is found by no other key, on any route', async () => {
  const mine = await create({ title: 'mine' });
  const { sessions } = server.bob.beta;
  const attempts = (id: string) => [
    sessions.retrieve(id),
    sessions.update(id, { title: 'taken' }),
    sessions.update(id, { agent: { tools: [] } }),
    sessions.archive(id),
    sessions.delete(id),
  ];
  const told: string[][] = [];
  for (const id of [mine.id, UNKNOWN]) {
    const errors = await Promise.all(attempts(id).map((each) => failure(each, NotFoundError)));
    told.push(errors.map(({ apiMessage }) => (apiMessage ?? '').replaceAll(id, 'ID')));
  }
  expect(told[0]).toEqual(told[1]);
  const listed = await sessions.list({ include_archived: true });
  expect(listed.data).toEqual([]);
  // The same id is a session by name to another key, and no way to this one.
  await server.bob.messages.create(prompt('x'), { headers: { 'x-session-id': mine.id } });
  await failure(sessions.retrieve(mine.id), NotFoundError);
  expect(await retrieve(mine.id)).toMatchObject({ title: 'mine', usage: { input_tokens: 0 } });
});
