import { expect, test, vi } from 'vitest';
import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { EnvironmentDefinition } from '../definitions/environment.ts';
import type { SessionDefinition } from '../definitions/session.ts';
import { RoundhouseError } from '../errors.ts';
import { MemoryCatalogStore } from '../store/memory/memory-catalog-store.ts';
import { anAgent, anEnvironment } from '../../test/conformance/catalog-store.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool } from '../../test/support/pool-fixture.ts';
import { Agents } from './agents.ts';
import { Environments } from './environments.ts';
import { poolPorts } from './pool-ports.ts';
import type { AgentRules } from './agent-plan.ts';
import { Sessions, type SessionDraft } from './sessions.ts';

useFakeClock();

const TENANT = 'default';
/** Everything is allowed. */
const AGENT_RULES: AgentRules = {
  ownTools: true,
  mcpServerProblem: () => undefined,
  toolProblem: () => Promise.resolve(undefined),
};
const NO_DISK = new RoundhouseError('storage_failed', 'no disk');

/** `joined`: the pool tells the catalog of sessions that it deletes. Without, a document can be left behind. */
async function world(store: CatalogStore = new MemoryCatalogStore(), joined = false) {
  const agents = new Agents({ store, rules: AGENT_RULES });
  const rules = { variableAllowed: () => true, folderAllowed: () => true };
  const environments = new Environments({ store, rules });
  const fixture = makePool({
    workspaces: { allowed: ['/named'] },
    ...(joined && poolPorts(store, environments)),
  });
  const sessions = new Sessions({
    store,
    agents,
    environments,
    rules: AGENT_RULES,
    pool: fixture.pool,
    cloneRepository: (_tenant, ...clone) => fixture.host.cloneRepository(...clone),
    promptFiles: { complete: async (_tenant, _field, inputs) => [...inputs] },
  });
  const agent = await agents.create(TENANT, anAgent());
  const environment = await environments.create(
    TENANT,
    anEnvironment({ workspace: { type: 'fresh' }, variables: {} }),
  );
  const draft: SessionDraft = {
    agent: { id: agent.id, version: undefined, override: (body) => body },
    environmentId: environment.id,
    title: null,
    metadata: {},
    resources: [],
    budget: null,
    prompts: [],
  };
  return { fixture, sessions, environments, store, draft };
}

/** A draft in another environment. */
async function draftIn(
  { environments, draft }: Awaited<ReturnType<typeof world>>,
  over: Partial<EnvironmentDefinition>,
): Promise<SessionDraft> {
  const definition = anEnvironment({ workspace: { type: 'fresh' }, variables: {}, ...over });
  return { ...draft, environmentId: (await environments.create(TENANT, definition)).id };
}

/** A change of nothing but the title. */
function titled(title: string) {
  const apply = (current: SessionDefinition): SessionDefinition => ({ ...current, title });
  return { namesAgent: false, apply };
}

test('a document without a session behind it is not there, and can be removed', async () => {
  const { fixture, sessions, draft } = await world();
  const { kept } = await sessions.create(TENANT, draft);
  await fixture.pool.deleteSession(TENANT, kept.id);
  await expect(sessions.view(TENANT, kept.id)).rejects.toMatchObject({ code: 'not_found' });
  await expect(sessions.update(TENANT, kept.id, titled('b'))).rejects.toMatchObject({
    code: 'not_found',
  });
  await expect(sessions.archive(TENANT, kept.id)).rejects.toMatchObject({ code: 'not_found' });
  expect((await sessions.list(TENANT, { limit: 10 })).items).toEqual([]);
  // One that somebody makes under that name is another one.
  await ask(fixture, kept.id, 'one');
  await expect(sessions.view(TENANT, kept.id)).rejects.toMatchObject({ code: 'not_found' });
  await fixture.pool.deleteSession(TENANT, kept.id);
  await sessions.remove(TENANT, kept.id);
  await expect(sessions.remove(TENANT, kept.id)).rejects.toMatchObject({ code: 'not_found' });
  await expect(sessions.get(TENANT, kept.id)).rejects.toMatchObject({ code: 'not_found' });
});

test('a removal that fails in the middle can be asked for again', async () => {
  const { fixture, sessions, store, draft } = await world();
  const { kept } = await sessions.create(TENANT, draft);
  vi.spyOn(store, 'remove').mockRejectedValueOnce(NO_DISK);
  await expect(sessions.remove(TENANT, kept.id)).rejects.toBe(NO_DISK);
  expect(await fixture.pool.getSessionInfo(TENANT, kept.id)).toBeUndefined();
  await sessions.remove(TENANT, kept.id);
  await expect(sessions.remove(TENANT, kept.id)).rejects.toMatchObject({ code: 'not_found' });
});

test('an archiving that fails in the middle can be asked for again', async () => {
  const { sessions, store, draft } = await world();
  const { kept } = await sessions.create(TENANT, draft);
  vi.spyOn(store, 'archive').mockRejectedValueOnce(NO_DISK);
  await expect(sessions.archive(TENANT, kept.id)).rejects.toBe(NO_DISK);
  const archived = await sessions.archive(TENANT, kept.id);
  expect(archived.kept.archivedAt).not.toBeNull();
});

test('an update of the agent that fails in the middle holds when it is asked for again', async () => {
  const { fixture, sessions, draft } = await world();
  const { kept } = await sessions.create(TENANT, draft);
  const change = {
    namesAgent: true,
    apply: (current: SessionDefinition): SessionDefinition => ({
      ...current,
      agent: {
        ...current.agent,
        tools: [
          {
            type: 'agent_toolset_20260401',
            default_config: { enabled: true, permission_policy: { type: 'always_allow' } },
            configs: [],
          },
        ],
      },
    }),
  };
  vi.spyOn(fixture.store, 'append').mockRejectedValueOnce(NO_DISK);
  await expect(sessions.update(TENANT, kept.id, change)).rejects.toMatchObject({
    code: 'storage_failed',
  });
  await sessions.update(TENANT, kept.id, change);
  const client = await fixture.pool.findClient(TENANT, kept.id);
  expect(client.row.options.tools).toContain('Bash');
});

test('a session that is not made is taken back, and says why, whatever becomes of that', async () => {
  const { fixture, sessions, store, draft } = await world();
  vi.spyOn(fixture.store, 'createSession').mockRejectedValueOnce(NO_DISK);
  vi.spyOn(store, 'remove').mockRejectedValueOnce(new RoundhouseError('internal', 'worse'));
  await expect(sessions.create(TENANT, draft)).rejects.toBe(NO_DISK);
  await pass(1);
  expect((await sessions.list(TENANT, { limit: 10 })).items).toEqual([]);
});

test('a session that is deleted by its name takes along what it was made of', async () => {
  const { fixture, sessions, store, draft } = await world(new MemoryCatalogStore(), true);
  const { kept } = await sessions.create(TENANT, draft);
  await ask(fixture, 'plain', 'one');
  await fixture.pool.deleteSession(TENANT, kept.id);
  await fixture.pool.deleteSession(TENANT, 'plain');
  expect(await store.get({ kind: 'session', tenant: TENANT, id: kept.id })).toBeUndefined();
  const again = await sessions.create(TENANT, draft);
  await sessions.remove(TENANT, again.kept.id);
  await expect(sessions.remove(TENANT, again.kept.id)).rejects.toMatchObject({ code: 'not_found' });
});

test('a repository is cloned into the session’s own folder before the session is there', async () => {
  const made = await world();
  const { fixture, sessions } = made;
  const workspace = { type: 'git_clone', path: '/srv/repo', ref: 'main' } as const;
  const seen: unknown[] = [];
  const clone = fixture.host.cloneRepository.bind(fixture.host);
  vi.spyOn(fixture.host, 'cloneRepository').mockImplementation(async (...call) => {
    seen.push((await fixture.store.listSessions({ limit: 10 })).sessions.length);
    await clone(...call);
  });
  const { kept } = await sessions.create(TENANT, await draftIn(made, { workspace }));
  const { row } = await fixture.pool.findClient(TENANT, kept.id);
  expect(fixture.host.cloned).toEqual([{ ...workspace, workspace: row.workspace }]);
  expect(seen).toEqual([0]);
  const fork = await sessions.fork(TENANT, kept.id, { eventId: undefined, title: null });
  const forked = (await fixture.pool.findClient(TENANT, fork.kept.id)).row.workspace;
  expect(fixture.host.cloned[1]).toMatchObject({ path: '/srv/repo', workspace: forked });
  expect(forked).not.toBe(row.workspace);
});

test('a clone that fails leaves neither session nor folder nor document', async () => {
  const made = await world();
  const { fixture, sessions, store } = made;
  vi.spyOn(fixture.host, 'cloneRepository').mockRejectedValue(NO_DISK);
  const workspace = { type: 'git_clone', path: '/srv/repo', ref: null } as const;
  const draft = await draftIn(made, { workspace });
  await expect(sessions.create(TENANT, draft)).rejects.toBe(NO_DISK);
  expect((await fixture.store.listSessions({ limit: 10 })).sessions).toEqual([]);
  expect(fixture.host.workspaces.size).toBe(0);
  expect((await store.list('session', { tenant: TENANT, limit: 10 })).items).toEqual([]);
});

test('whoever leaves before the prompts are sent has no session, also where the clone did not hear of it', async () => {
  const made = await world();
  const { fixture, sessions, store } = made;
  const leaving = new AbortController();
  const reason = new Error('gone');
  vi.spyOn(fixture.host, 'cloneRepository').mockImplementation(async (_folder, _what, signal) => {
    expect(signal).toBe(leaving.signal);
    leaving.abort(reason);
  });
  const workspace = { type: 'git_clone', path: '/srv/repo', ref: null } as const;
  const draft = await draftIn(made, { workspace });
  const prompts: SessionDraft['prompts'] = [[{ type: 'text', text: 'Hello' }]];
  const created = sessions.create(TENANT, { ...draft, prompts }, leaving.signal);
  await expect(created).rejects.toBe(reason);
  expect((await fixture.store.listSessions({ limit: 10 })).sessions).toEqual([]);
  expect(fixture.host.workspaces.size).toBe(0);
  expect((await store.list('session', { tenant: TENANT, limit: 10 })).items).toEqual([]);
});

test('nothing is cloned into a folder that somebody named, also when the environment has a clone by now', async () => {
  const made = await world();
  const { environments, fixture, sessions } = made;
  const folder = { type: 'folder', path: '/named' } as const;
  const draft = await draftIn(made, { workspace: folder });
  const { kept } = await sessions.create(TENANT, draft);
  await environments.update(TENANT, draft.environmentId, (current) => ({
    ...current,
    workspace: { type: 'git_clone', path: '/srv/repo', ref: null },
  }));
  await sessions.fork(TENANT, kept.id, { eventId: undefined, title: null });
  expect(fixture.host.cloned).toEqual([]);
});

test.each<[boolean, Partial<EnvironmentDefinition>]>([
  [true, {}],
  [true, { limits: { turnMs: 5_000 } }],
  [false, { variables: { TOKEN: { value: 'x', secret: true } } }],
  [false, { workspace: { type: 'git_clone', path: '/srv/repo', ref: null } }],
])('a prepared process may be taken: %s for %j', async (mayTakeSpare, over) => {
  const made = await world();
  const create = vi.spyOn(made.fixture.pool, 'createSession');
  await made.sessions.create(TENANT, await draftIn(made, over));
  expect(create.mock.calls[0]?.[0]).toMatchObject({ mayTakeSpare, limits: over.limits });
});
