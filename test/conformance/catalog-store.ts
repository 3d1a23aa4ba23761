import { beforeEach, describe, expect, it } from 'vitest';
import type { CatalogKey, CatalogStore } from '../../src/contracts/catalog-store.ts';
import type { AgentDefinition } from '../../src/definitions/agent.ts';
import type { EnvironmentDefinition } from '../../src/definitions/environment.ts';
import type { SessionDefinition } from '../../src/definitions/session.ts';
import { AT, failsWith } from './session-samples.ts';

/** An opened store; `reopen` closes it and opens what it kept, and is absent where nothing is kept. */
export interface OpenedCatalog {
  readonly store: CatalogStore;
  readonly reopen?: () => Promise<CatalogStore>;
}

const LATER = '2026-03-04T05:06:08.000Z';

/** An agent with something in every field. */
export function anAgent(over: Partial<AgentDefinition> = {}): AgentDefinition {
  return {
    name: 'Ädа 🚂',
    description: null,
    system: 'Be "brief".\n',
    model: { id: 'claude-test', effort: { type: 'high' } },
    tools: [
      {
        type: 'custom',
        name: 'look_up',
        description: '',
        input_schema: { type: 'object', properties: { q: { type: ['string', 'null'] } } },
      },
    ],
    mcp_servers: [],
    metadata: { team: 'a' },
    ...over,
  };
}

export function anEnvironment(over: Partial<EnvironmentDefinition> = {}): EnvironmentDefinition {
  return {
    name: 'env',
    description: 'Where it runs',
    metadata: {},
    workspace: { type: 'folder', path: '/srv/project' },
    variables: { TOKEN: { value: 's3cret', secret: true } },
    ...over,
  };
}

export function aSessionDefinition(
  agent: { id: string; version?: number } = { id: 'agent_1' },
): SessionDefinition {
  return {
    agent: {
      ...anAgent(),
      type: 'agent',
      version: 1,
      skills: [],
      multiagent: null,
      execution_identity: { type: 'service_account' },
      ...agent,
    },
    environmentId: 'env_1',
    title: null,
    metadata: {},
    resources: [],
    budget: { type: 'limit', max_list_cost: { amount: '500', currency: 'USD' } },
  };
}

function sessionKey(id: string, tenant = 'key-a'): CatalogKey<'session'> {
  return { kind: 'session', tenant, id };
}

function agentKey(id: string, tenant = 'key-a'): CatalogKey<'agent'> {
  return { kind: 'agent', tenant, id };
}

function environmentKey(id: string, tenant = 'key-a'): CatalogKey<'environment'> {
  return { kind: 'environment', tenant, id };
}

/** A time so many seconds after {@link AT}. */
function after(seconds: number): string {
  return new Date(Date.parse(AT) + seconds * 1000).toISOString();
}

/** What every {@link CatalogStore} must do. `open` gives an empty store, and clears away after the test by itself. */
export function describeCatalogStore(name: string, open: () => Promise<OpenedCatalog>): void {
  describe(`${name} as a catalog store`, () => {
    let store: CatalogStore;
    let reopen: OpenedCatalog['reopen'];

    beforeEach(async () => {
      ({ store, reopen } = await open());
    });

    /** The ids of all pages of a listing of agents. */
    const walk = async (query: Parameters<CatalogStore['list']>[1]): Promise<string[]> => {
      const ids: string[] = [];
      let next: string | null = null;
      do {
        const page: Awaited<ReturnType<CatalogStore['list']>> = await store.list('agent', {
          ...query,
          ...(next !== null && { after: next }),
        });
        expect(page.items.length).toBeLessThanOrEqual(query.limit);
        ids.push(...page.items.map(({ id }) => id));
        ({ next } = page);
      } while (next !== null);
      return ids;
    };

    /** Makes agents a second apart; their ids, newest first. */
    const createMany = async (count: number, tenant = 'key-a'): Promise<string[]> => {
      const ids = Array.from({ length: count }, (_, index) => `agent_${tenant}_${index}`);
      for (const [index, id] of ids.entries()) {
        await store.create(agentKey(id, tenant), anAgent({ name: id }), after(index));
      }
      return ids.toReversed();
    };

    describe('one document', () => {
      it('comes back in full, equal in depth, at version 1', async () => {
        const kept = {
          id: 'agent_1',
          version: 1,
          createdAt: AT,
          updatedAt: AT,
          archivedAt: null,
          body: anAgent(),
        };
        expect(await store.create(agentKey('agent_1'), anAgent(), AT)).toStrictEqual(kept);
        expect(await store.get(agentKey('agent_1'))).toStrictEqual(kept);
        await store.create(environmentKey('env_1'), anEnvironment(), AT);
        expect((await store.get(environmentKey('env_1')))?.body).toStrictEqual(anEnvironment());
      });

      it('is not changed by what a caller does to what it gave or got', async () => {
        const given = anAgent();
        const got = await store.create(agentKey('agent_1'), given, AT);
        given.metadata['team'] = 'b';
        got.body.metadata['team'] = 'c';
        expect((await store.get(agentKey('agent_1')))?.body.metadata).toEqual({ team: 'a' });
      });

      it('is refused under an id that is there, of whatever kind and tenant', async () => {
        await store.create(agentKey('x_1'), anAgent(), AT);
        for (const taken of [
          store.create(agentKey('x_1'), anAgent({ name: 'second' }), AT),
          store.create(agentKey('x_1', 'key-b'), anAgent(), AT),
          store.create(environmentKey('x_1'), anEnvironment(), AT),
        ]) {
          await expect(taken).rejects.toThrow(failsWith('storage_failed'));
        }
        expect((await store.get(agentKey('x_1')))?.body).toEqual(anAgent());
      });

      it('does not exist for another tenant or as another kind, whatever is asked', async () => {
        await store.create(agentKey('agent_1'), anAgent(), AT);
        const foreign = agentKey('agent_1', 'key-b');
        const confused = environmentKey('agent_1');
        expect(await store.get(foreign)).toBeUndefined();
        expect(await store.get(confused)).toBeUndefined();
        expect(await store.replace(foreign, 1, anAgent({ name: 'taken' }), LATER)).toBeUndefined();
        expect(await store.replace(confused, 1, anEnvironment(), LATER)).toBeUndefined();
        expect(await store.archive(foreign, LATER)).toBeUndefined();
        expect(await store.archive(confused, LATER)).toBeUndefined();
        expect(await store.remove(foreign)).toBe(false);
        expect(await store.remove(confused)).toBe(false);
        expect(await store.getVersion(foreign, 1)).toBeUndefined();
        expect(await store.listVersions(foreign, { limit: 10 })).toEqual({ items: [], next: null });
        expect(await store.get(agentKey('agent_1'))).toMatchObject({
          version: 1,
          archivedAt: null,
          body: anAgent(),
        });
      });

      it('is gone with all its versions once it is removed', async () => {
        await store.create(agentKey('agent_1'), anAgent(), AT);
        await store.replace(agentKey('agent_1'), 1, anAgent({ name: 'two' }), LATER);
        expect(await store.remove(agentKey('agent_1'))).toBe(true);
        expect(await store.remove(agentKey('agent_1'))).toBe(false);
        expect(await store.get(agentKey('agent_1'))).toBeUndefined();
        expect(await store.getVersion(agentKey('agent_1'), 1)).toBeUndefined();
        await store.create(agentKey('agent_1'), anAgent(), AT);
        expect((await store.listVersions(agentKey('agent_1'), { limit: 10 })).items).toHaveLength(
          1,
        );
      });
    });

    describe('a change', () => {
      it('makes the next version, and only from the version that was expected', async () => {
        await store.create(agentKey('agent_1'), anAgent(), AT);
        const two = anAgent({ name: 'two' });
        expect(await store.replace(agentKey('agent_1'), 1, two, LATER)).toStrictEqual({
          id: 'agent_1',
          version: 2,
          createdAt: AT,
          updatedAt: LATER,
          archivedAt: null,
          body: two,
        });
        expect(await store.replace(agentKey('agent_1'), 1, anAgent(), LATER)).toBeUndefined();
        expect(await store.replace(agentKey('agent_1'), 3, anAgent(), LATER)).toBeUndefined();
        expect(await store.replace(agentKey('none'), 1, anAgent(), LATER)).toBeUndefined();
        expect((await store.get(agentKey('agent_1')))?.body).toEqual(two);
      });

      it('wins once when many want it at the same time', async () => {
        await store.create(agentKey('agent_1'), anAgent(), AT);
        const names = Array.from({ length: 10 }, (_, index) => `name ${index}`);
        const answers = await Promise.all(
          names.map((each) => store.replace(agentKey('agent_1'), 1, anAgent({ name: each }), AT)),
        );
        const winners = answers.filter((answer) => answer !== undefined);
        expect(winners).toHaveLength(1);
        expect(await store.get(agentKey('agent_1'))).toEqual(winners[0]);
        expect((await store.listVersions(agentKey('agent_1'), { limit: 20 })).items).toHaveLength(
          2,
        );
      });

      it('is refused once the document is archived, which happens once', async () => {
        await store.create(agentKey('agent_1'), anAgent(), AT);
        expect(await store.archive(agentKey('agent_1'), LATER)).toMatchObject({
          version: 1,
          updatedAt: AT,
          archivedAt: LATER,
        });
        expect(await store.archive(agentKey('agent_1'), after(99))).toMatchObject({
          archivedAt: LATER,
        });
        expect(await store.replace(agentKey('agent_1'), 1, anAgent(), LATER)).toBeUndefined();
        expect(await store.archive(agentKey('none'), LATER)).toBeUndefined();
      });
    });

    describe('versions', () => {
      it('of an agent stay as they were, the newest first, over pages', async () => {
        await store.create(agentKey('agent_1'), anAgent({ name: 'v1' }), AT);
        for (let version = 1; version < 5; version += 1) {
          const body = anAgent({ name: `v${version + 1}` });
          await store.replace(agentKey('agent_1'), version, body, after(version));
        }
        await store.archive(agentKey('agent_1'), after(9));
        expect(await store.getVersion(agentKey('agent_1'), 2)).toStrictEqual({
          id: 'agent_1',
          version: 2,
          createdAt: AT,
          updatedAt: after(1),
          archivedAt: after(9),
          body: anAgent({ name: 'v2' }),
        });
        expect(await store.getVersion(agentKey('agent_1'), 6)).toBeUndefined();
        expect(await store.getVersion(agentKey('agent_1'), 0)).toBeUndefined();
        const first = await store.listVersions(agentKey('agent_1'), { limit: 3 });
        expect(first.items.map(({ body }) => body.name)).toEqual(['v5', 'v4', 'v3']);
        const rest = await store.listVersions(agentKey('agent_1'), {
          limit: 3,
          after: first.next ?? '',
        });
        expect(rest.items.map(({ version }) => version)).toEqual([2, 1]);
        expect(rest.next).toBeNull();
      });
    });

    describe('a listing', () => {
      it('holds one tenant and one kind, newest first, whatever the size of the pages', async () => {
        const ids = await createMany(7);
        await createMany(3, 'key-b');
        await store.create(environmentKey('env_1'), anEnvironment(), after(3));
        for (const limit of [1, 2, 3, 7, 8, 1000]) {
          expect(await walk({ tenant: 'key-a', limit })).toEqual(ids);
        }
        const environments = await store.list('environment', { tenant: 'key-a', limit: 10 });
        expect(environments.items.map(({ body }) => body.name)).toEqual(['env']);
        expect(await walk({ tenant: 'key-c', limit: 10 })).toEqual([]);
      });

      it('shows the version that holds, once', async () => {
        await createMany(2);
        await store.replace(agentKey('agent_key-a_0'), 1, anAgent({ name: 'two' }), LATER);
        const { items } = await store.list('agent', { tenant: 'key-a', limit: 10 });
        expect(items.map(({ body, version }) => [body.name, version])).toEqual([
          ['agent_key-a_1', 1],
          ['two', 2],
        ]);
      });

      it('keeps all of one moment apart by their ids', async () => {
        const ids = Array.from({ length: 5 }, (_, index) => `agent_${index}`);
        for (const id of ids) await store.create(agentKey(id), anAgent(), AT);
        expect(await walk({ tenant: 'key-a', limit: 2 })).toEqual(ids.toReversed());
      });

      it('goes on after a document that was removed in the meantime', async () => {
        const ids = await createMany(5);
        const page = await store.list('agent', { tenant: 'key-a', limit: 2 });
        await store.remove(agentKey(ids[1] ?? ''));
        const next = await store.list('agent', {
          tenant: 'key-a',
          limit: 9,
          after: page.next ?? '',
        });
        expect(next.items.map(({ id }) => id)).toEqual(ids.slice(2));
      });

      it('takes bounds of the creation, both inclusive, and together with pages', async () => {
        const ids = await createMany(6);
        const within = { tenant: 'key-a', limit: 2, createdFrom: after(1), createdTo: after(4) };
        expect(await walk(within)).toEqual(ids.slice(1, 5));
        expect(await walk({ tenant: 'key-a', limit: 9, createdFrom: after(5) })).toEqual(
          ids.slice(0, 1),
        );
        expect(await walk({ tenant: 'key-a', limit: 9, createdTo: after(0) })).toEqual(
          ids.slice(5),
        );
      });

      it('leaves archived documents out unless they are asked for', async () => {
        const ids = await createMany(4);
        await store.archive(agentKey(ids[2] ?? ''), LATER);
        expect(await walk({ tenant: 'key-a', limit: 2 })).toEqual(ids.toSpliced(2, 1));
        expect(await walk({ tenant: 'key-a', limit: 2, includeArchived: true })).toEqual(ids);
      });

      it('is walked both ways, in both orders, and says where it ends', async () => {
        const ids = await createMany(5);
        await createMany(2, 'key-b');
        for (const order of ['desc', 'asc'] as const) {
          const query = { tenant: 'key-a', limit: 2, order };
          const first = await store.list('agent', query);
          const second = await store.list('agent', { ...query, after: first.next ?? '' });
          const third = await store.list('agent', { ...query, after: second.next ?? '' });
          const pages = [first, second, third];
          expect(pages.flatMap(({ items }) => items.map(({ id }) => id))).toEqual(
            order === 'desc' ? ids : ids.toReversed(),
          );
          expect(pages.map(({ prev }) => prev !== null)).toEqual([false, true, true]);
          expect(third.next).toBeNull();
          const back = await store.list('agent', { ...query, after: third.prev ?? '' });
          expect(back).toEqual(second);
          expect(await store.list('agent', { ...query, after: back.prev ?? '' })).toEqual(first);
          // The bounds of a page are those of its items, whatever its size.
          const wide = await store.list('agent', { ...query, limit: 9, after: third.prev ?? '' });
          expect(wide.items).toEqual([...first.items, ...second.items]);
          expect([wide.prev, wide.next]).toEqual([null, second.next]);
        }
      });

      it('knows of nothing before it once that is gone', async () => {
        const ids = await createMany(3);
        const query = { tenant: 'key-a', limit: 1 };
        const first = await store.list('agent', query);
        await store.remove(agentKey(ids[0] ?? ''));
        const second = await store.list('agent', { ...query, after: first.next ?? '' });
        expect(second.items.map(({ id }) => id)).toEqual([ids[1]]);
        expect(second.prev).toBeNull();
      });

      it('of sessions is narrowed to an agent, a version of it, and ids', async () => {
        const made = [
          ['sesn_0', 'agent_1', 1],
          ['sesn_1', 'agent_2', 1],
          ['sesn_2', 'agent_1', 2],
          ['sesn_3', 'agent_1', 1],
          ['sesn_4', 'agent_1', 1],
        ] as const;
        for (const [index, [id, agent, version]] of made.entries()) {
          await store.create(
            sessionKey(id),
            aSessionDefinition({ id: agent, version }),
            after(index),
          );
        }
        await store.create(sessionKey('sesn_b', 'key-b'), aSessionDefinition(), AT);
        await store.archive(sessionKey('sesn_4'), LATER);
        const listed = async (query: Partial<Parameters<CatalogStore['list']>[1]>) => {
          const found = { tenant: 'key-a', limit: 10, ...query };
          return (await store.list('session', found)).items.map(({ id }) => id);
        };
        expect(await listed({})).toEqual(['sesn_3', 'sesn_2', 'sesn_1', 'sesn_0']);
        expect(await listed({ agentId: 'agent_1' })).toEqual(['sesn_3', 'sesn_2', 'sesn_0']);
        expect(await listed({ agentId: 'agent_1', agentVersion: 1 })).toEqual(['sesn_3', 'sesn_0']);
        expect(await listed({ agentId: 'agent_3' })).toEqual([]);
        expect(await listed({ environmentId: 'env_1' })).toHaveLength(4);
        expect(await listed({ environmentId: 'env_2' })).toEqual([]);
        expect(await listed({ among: ['sesn_3', 'sesn_1', 'sesn_4', 'sesn_b', 'x'] })).toEqual([
          'sesn_3',
          'sesn_1',
        ]);
        expect(await listed({ among: [] })).toEqual([]);
        expect(await listed({ except: [] })).toHaveLength(4);
        expect(await listed({ except: ['sesn_3', 'sesn_1'] })).toEqual(['sesn_2', 'sesn_0']);
        expect(await listed({ agentId: 'agent_1', except: ['sesn_3'], order: 'asc' })).toEqual([
          'sesn_0',
          'sesn_2',
        ]);
        expect(await listed({ agentId: 'agent_1', includeArchived: true, limit: 2 })).toEqual([
          'sesn_4',
          'sesn_3',
        ]);
        const many = Array.from({ length: 10_000 }, (_, index) => `sesn_x${index}`);
        expect(await listed({ among: [...many, 'sesn_2'] })).toEqual(['sesn_2']);
        expect(await listed({ except: many, agentId: 'agent_2' })).toEqual(['sesn_1']);
      });

      it('refuses limits out of bounds and cursors that it did not give', async () => {
        const refused = failsWith('invalid_request');
        for (const limit of [0, 1001, 1.5]) {
          await expect(store.list('agent', { tenant: 'key-a', limit })).rejects.toThrow(refused);
          await expect(store.listVersions(agentKey('x'), { limit })).rejects.toThrow(refused);
        }
        for (const cursor of ['x', '', 'WzFd', '-1']) {
          const query = { tenant: 'key-a', limit: 1, after: cursor };
          await expect(store.list('agent', query)).rejects.toThrow(refused);
          await expect(
            store.listVersions(agentKey('x'), { limit: 1, after: cursor }),
          ).rejects.toThrow(refused);
        }
      });
    });

    describe('a listing of all tenants', () => {
      it('holds every document of a kind once, over pages, with whose it is and as it is now', async () => {
        await createMany(3);
        await createMany(2, 'key-b');
        await store.create(environmentKey('agent_a'), anEnvironment(), AT);
        await store.replace(agentKey('agent_key-a_1'), 1, anAgent({ name: 'two' }), LATER);
        await store.archive(agentKey('agent_key-b_0', 'key-b'), LATER);
        for (const limit of [1, 2, 5, 1000]) {
          const seen: (string | number)[][] = [];
          let next: string | null = null;
          do {
            const page: Awaited<ReturnType<CatalogStore['listAll']>> = await store.listAll(
              'agent',
              { limit, ...(next !== null && { after: next }) },
            );
            expect(page.items.length).toBeLessThanOrEqual(limit);
            for (const { tenant, document } of page.items) {
              seen.push([tenant, document.id, document.version]);
            }
            ({ next } = page);
          } while (next !== null);
          expect(seen).toEqual([
            ['key-a', 'agent_key-a_0', 1],
            ['key-a', 'agent_key-a_1', 2],
            ['key-a', 'agent_key-a_2', 1],
            ['key-b', 'agent_key-b_0', 1],
            ['key-b', 'agent_key-b_1', 1],
          ]);
        }
        await expect(store.listAll('agent', { limit: 0 })).rejects.toThrow(
          failsWith('invalid_request'),
        );
      });
    });

    it('keeps everything over a restart', async ({ skip }) => {
      if (reopen === undefined) return skip('What is in memory ends with the process.');
      await store.create(agentKey('agent_1'), anAgent(), AT);
      await store.replace(agentKey('agent_1'), 1, anAgent({ name: 'two' }), LATER);
      await store.archive(agentKey('agent_1'), LATER);
      const before = await store.listVersions(agentKey('agent_1'), { limit: 10 });
      const again = await reopen();
      expect(await again.listVersions(agentKey('agent_1'), { limit: 10 })).toStrictEqual(before);
      return undefined;
    });
  });
}
