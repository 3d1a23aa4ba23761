import {
  BadRequestError,
  InternalServerError,
  NotFoundError,
  type Anthropic,
} from '@anthropic-ai/sdk';
import type { BetaManagedAgentsSession } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { beforeEach, describe, expect, it } from 'vitest';
import { echoScript } from '../../src/agent/scripted/script.ts';
import type { RoundhouseSession } from '../../src/dialects/managed-agents/sessions.ts';
import type { SessionResource } from '../../src/definitions/session.ts';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';
import { answerOf, collect, text } from '../support/pool-fixture.ts';
import { SseReader } from '../support/sse-reader.ts';

/** A session as the routes of ours answer with it. */
type Session = BetaManagedAgentsSession & { roundhouse: RoundhouseSession };

const placed: { id: string; resources: readonly SessionResource[] }[] = [];
let diskIsFull: boolean;
let server: CatalogServer;

beforeEach(async () => {
  placed.length = 0;
  diskIsFull = false;
  server = await catalogServer({
    folderAllowed: () => true,
    placeFiles: async ({ id }, resources) => {
      if (diskIsFull) throw new Error('the disk is full');
      placed.push({ id, resources });
    },
    pool: {
      workspaces: { allowed: ['/srv'] },
      driver: {
        script: (context) =>
          context.text === 'slowly'
            ? { steps: [{ text: ['a'] }, { hang: true }] }
            : echoScript(context),
      },
    },
  });
});

async function created(
  over: Partial<Anthropic.Beta.SessionCreateParams> = {},
  environment: object = {},
): Promise<BetaManagedAgentsSession> {
  const { alice } = server;
  const agent = await alice.beta.agents.create({ name: 'Agent', model: 'claude-opus-5-5' });
  const { id } = await alice.beta.environments.create({ name: 'here', ...environment });
  return alice.beta.sessions.create({ agent: agent.id, environment_id: id, ...over });
}

async function say(id: string, prompt: string): Promise<string> {
  const client = await server.fixture.pool.findClient('alice', id);
  return answerOf(await collect(await client.prompt(text(prompt))));
}

async function eventIds(id: string): Promise<string[]> {
  const records = await server.fixture.pool.readEvents('alice', id, { after: 0, limit: 1_000 });
  return records.map(({ body }) => body.id);
}

const route = (id: string, what: string): string => `/v1/sessions/${id}/roundhouse/${what}`;

function fork(id: string, body?: object, client = server.alice): Promise<Session> {
  return client.post<Session>(route(id, 'fork'), { body });
}

const readTranscript = (id: string, key = 'key-a'): Promise<Response> =>
  fetch(`${server.url}/v1/sessions/${id}/transcript`, { headers: { 'x-api-key': key } });

const follow = (id: string, key = 'key-a'): Promise<SseReader> =>
  SseReader.open(`${server.url}${route(id, 'agent-events')}`, { headers: { 'x-api-key': key } });

describe('POST /v1/sessions/{id}/roundhouse/fork', () => {
  it('makes a session like the other one, which knows what was said in it', async () => {
    const origin = await created({ title: 'Trunk', metadata: { team: 'a' } });
    await say(origin.id, 'one');
    await say(origin.id, 'two');
    const made = await fork(origin.id);
    expect(made).toMatchObject({
      type: 'session',
      status: 'idle',
      agent: origin.agent,
      environment_id: origin.environment_id,
      title: 'Trunk (fork)',
      metadata: { team: 'a' },
      usage: { input_tokens: 0 },
      roundhouse: { forked_from: { session_id: origin.id, event_id: null, missing_files: [] } },
    });
    expect(made.id).toMatch(/^sesn_/);
    expect(await server.alice.beta.sessions.retrieve(made.id)).toEqual({
      ...made,
      stats: expect.anything(),
    });
    expect(await say(made.id, 'three')).toContain('Before: one | two.');
    expect(await say(origin.id, 'four')).toContain('Before: one | two.');
    expect(await say(made.id, 'five')).toContain('Before: one | two | three.');
    const listed = await server.alice.beta.sessions.list();
    expect(listed.data.map(({ id }) => id).toSorted()).toEqual([made.id, origin.id].toSorted());
  });

  it('forks from an event, with a title of its own, and shows which', async () => {
    const origin = await created();
    await say(origin.id, 'one');
    const [last] = (await eventIds(origin.id)).slice(-1);
    await say(origin.id, 'two');
    const made = await fork(origin.id, { event_id: last, title: 'Another way' });
    expect(made).toMatchObject({
      title: 'Another way',
      roundhouse: { forked_from: { session_id: origin.id, event_id: last } },
    });
    expect(await say(made.id, 'three')).toContain('Before: one.');
    // An event of both can be recognised in both.
    expect((await eventIds(made.id)).slice(0, 2)).toEqual((await eventIds(origin.id)).slice(0, 2));
    expect((await fork(origin.id)).title).toBeNull();
    expect((await fork(origin.id, { title: null })).title).toBeNull();
  });

  it('puts the files of the session into the workspace of the fork', async () => {
    const origin = await created({ resources: [{ type: 'file', file_id: 'file_1' }] });
    const made = await fork(origin.id);
    expect(placed.map(({ id }) => id)).toEqual([origin.id, made.id]);
    expect(made.resources).toMatchObject([{ type: 'file', file_id: 'file_1' }]);
    expect(placed[1]?.resources[0]?.id).not.toBe(placed[0]?.resources[0]?.id);
  });

  it('works where the session works, if its environment names a folder', async () => {
    const environment = { roundhouse: { workspace: { type: 'folder', path: '/srv/shared' } } };
    const origin = await created({}, environment);
    const made = await fork(origin.id);
    const client = await server.fixture.pool.findClient('alice', made.id);
    expect(client.row).toMatchObject({ workspace: '/srv/shared', ownsWorkspace: false });
  });

  it('forks what is archived; nothing of the parent is lost with the fork, nor the other way round', async () => {
    const origin = await created();
    await say(origin.id, 'one');
    await server.alice.beta.sessions.archive(origin.id);
    const first = await fork(origin.id);
    const second = await fork(first.id);
    await server.alice.beta.sessions.delete(first.id);
    expect(await say(second.id, 'two')).toContain('Before: one.');
    expect((await eventIds(origin.id)).length).toBeGreaterThan(3);
  });

  it.each<[string, object, string]>([
    ['an event that is not there', { event_id: 'sevt_none' }, 'not_found'],
    ['a field that does not exist', { copy_workspace: true }, 'invalid_request'],
    ['a title that is too long', { title: 'x'.repeat(1_025) }, 'invalid_request'],
  ])('refuses %s, and makes nothing', async (_what, body, code) => {
    const origin = await created();
    await say(origin.id, 'one');
    const refused = server.post(route(origin.id, 'fork'), body);
    expect(await refused).toMatchObject({ body: { error: { details: { error_code: code } } } });
    expect((await server.alice.beta.sessions.list()).data).toHaveLength(1);
    expect(server.fixture.host.workspaces.size).toBe(1);
  });

  it('refuses one whose environment is archived', async () => {
    const origin = await created();
    await server.alice.beta.environments.archive(origin.environment_id);
    const error = await failure(fork(origin.id), BadRequestError);
    expect(error.errorCode).toBe('environment_archived');
  });

  it('takes the session away again when its files can not be placed', async () => {
    const origin = await created({ resources: [{ type: 'file', file_id: 'file_1' }] });
    const { pool, host } = server.fixture;
    const before = host.workspaces.size;
    diskIsFull = true;
    await failure(fork(origin.id), InternalServerError);
    expect(host.workspaces.size).toBe(before);
    expect((await pool.listSessions('alice', { limit: 10 })).sessions).toHaveLength(1);
    expect((await server.alice.beta.sessions.list()).data).toHaveLength(1);
  });
});

describe('POST /v1/sessions/{id}/roundhouse/warm', () => {
  it('connects a process, and answers with the session', async () => {
    const { id } = await created();
    const { driver, pool } = server.fixture;
    expect(driver.alive).toHaveLength(0);
    const warmed = await server.alice.post<Session>(route(id, 'warm'));
    expect(warmed).toMatchObject({ id, type: 'session', status: 'idle' });
    expect(driver.alive).toHaveLength(1);
    expect((await pool.findClient('alice', id)).clientId).not.toBeNull();
  });

  it('refuses one that is archived, which needs no process any more', async () => {
    const { id } = await created();
    await server.alice.beta.sessions.archive(id);
    const error = await failure(server.alice.post(route(id, 'warm')), BadRequestError);
    expect(error.errorCode).toBe('session_archived');
    expect(server.fixture.driver.processes).toHaveLength(0);
  });
});

describe('POST /v1/sessions/{id}/roundhouse/rewind', () => {
  it('is refused by name, with what to do instead', async () => {
    const { id } = await created();
    const error = await failure(server.alice.post(route(id, 'rewind')), BadRequestError);
    expect(error.errorCode).toBe('unsupported_field');
    expect(error.message).toContain('Fork the session');
  });
});

describe('GET /v1/sessions/{id}/transcript', () => {
  it('gives the entries of all transcripts as they are, the conversation first', async () => {
    const { id } = await created();
    await say(id, 'one');
    const { pool, store } = server.fixture;
    const { agentSessionId } = (await pool.findClient('alice', id)).row;
    const sub = [{ type: 'user', uuid: 'u', text: 'within' }];
    await store.transcripts.append({ agentSessionId, subpath: 'subagents/agent-1' }, sub);
    const response = await readTranscript(id);
    expect(response.headers.get('content-type')).toContain('application/x-ndjson');
    const lines = (await response.text()).trimEnd().split('\n');
    const main = await store.transcripts.load({ agentSessionId, subpath: '' });
    expect(main.length).toBeGreaterThan(1);
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual([
      ...main.map((entry) => ({ transcript: 'main', entry })),
      { transcript: 'subagents/agent-1', entry: sub[0] },
    ]);
  });

  it('is empty for a session that has said nothing', async () => {
    const response = await readTranscript((await created()).id);
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('reads on only when what it has read was taken', async () => {
    const { id } = await created();
    const { pool, store } = server.fixture;
    const { agentSessionId } = (await pool.findClient('alice', id)).row;
    const entries = Array.from({ length: 32 }, (_, index) => ({
      type: 'user',
      uuid: `u-${index}`,
      text: 'x'.repeat(1_000_000),
    }));
    for (const entry of entries)
      await store.transcripts.append({ agentSessionId, subpath: '' }, [entry]);
    let pages = 0;
    const readPage = store.transcripts.read.bind(store.transcripts);
    store.transcripts.read = (...call) => {
      pages += 1;
      return readPage(...call);
    };
    const response = await readTranscript(id);
    const reader = response.body?.getReader();
    await reader?.read();
    // What the sockets and the client hold between them, and no more.
    expect(pages).toBeLessThan(16);
    let bytes = 0;
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
      bytes += part.value.length;
    expect(pages).toBe(32);
    expect(bytes).toBeGreaterThan(31_000_000);
  });
});

describe('GET /v1/sessions/{id}/roundhouse/agent-events', () => {
  it('shows what the agent says from now on, and nothing of another session', async () => {
    const { id } = await created();
    const { id: other } = await created();
    await say(id, 'before');
    const reader = await follow(id);
    expect(reader.response.headers.get('content-type')).toContain('text/event-stream');
    await say(other, 'elsewhere');
    await say(id, 'now');
    const seen: unknown[] = [];
    for await (const { event, data } of reader) {
      seen.push(data);
      if (event === 'event' && JSON.stringify(data).includes('agent.message')) break;
    }
    reader.leave();
    expect(seen[0]).toEqual({ kind: 'accepted' });
    expect(JSON.stringify(seen)).toContain('You said: now');
    expect(JSON.stringify(seen)).not.toContain('elsewhere');
  });

  it('goes on with the next process of the session', async () => {
    const { id } = await created();
    const reader = await follow(id);
    await say(id, 'one');
    await (await server.fixture.pool.findClient('alice', id)).disconnect('test');
    await say(id, 'two');
    for await (const { data } of reader) if (JSON.stringify(data).includes('said: two')) break;
    reader.leave();
    expect(server.fixture.driver.processes).toHaveLength(2);
  });

  it('is not there unless the operator has switched it on', async () => {
    server = await catalogServer({ agentEvents: false });
    const { id } = await created();
    const { response } = await follow(id);
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('server.agentEvents');
  });
});

describe('what is another key’s', () => {
  it.each([
    ['POST', 'roundhouse/fork'],
    ['POST', 'roundhouse/warm'],
    ['POST', 'roundhouse/rewind'],
    ['GET', 'roundhouse/agent-events'],
    ['GET', 'transcript'],
  ] as const)('%s …/%s is not there, as for an id that never was', async (method, what) => {
    const { id } = await created();
    const ask = (sessionId: string) => {
      const path = `/v1/sessions/${sessionId}/${what}`;
      return failure(
        method === 'GET' ? server.bob.get(path) : server.bob.post(path),
        NotFoundError,
      );
    };
    expect((await ask(id)).errorCode).toBe('not_found');
    expect((await ask('sesn_none')).errorCode).toBe('not_found');
    expect(server.fixture.driver.processes).toHaveLength(0);
  });
});
