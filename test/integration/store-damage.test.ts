import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { forkPoint } from '../../src/pool/fork-point.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import type { SqlSessionStore } from '../../src/store/sql/sql-session-store.ts';
import { anAgent } from '../conformance/catalog-store.ts';
import { aDelivery, anEnd, aPrompt, aSession, AT } from '../conformance/session-samples.ts';

let path: string;
let store: SqlSessionStore;
let told: string[];

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-damage-'));
  path = join(folder, 'roundhouse.db');
  told = [];
  store = await openSqliteStore({ path, noteDamage: (what) => told.push(what) });
  onTestFinished(async () => {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });
});

/** Changes the database from outside. */
function damage(sql: string): void {
  const database = new DatabaseSync(path);
  const { changes } = database.prepare(sql).run();
  database.close();
  expect(changes).toBeGreaterThan(0);
}

/** The error of a thing that is damaged names it. */
function names(what: string): unknown {
  return expect.objectContaining({
    code: 'storage_failed',
    message: expect.stringContaining(`The ${what} is damaged in the store`),
  });
}

const idsOf = (items: readonly { readonly id: string }[]): string[] => items.map(({ id }) => id);

/** A session of two turns, the second of which waits; its id. */
async function twoTurns(): Promise<string> {
  const { id } = await store.createSession(aSession());
  await store.append(id, 1, [
    aPrompt(id, 1, 'turn_1'),
    aDelivery(id, 2, 'turn_1'),
    anEnd(id, 3, 'turn_1'),
    aPrompt(id, 4, 'turn_2'),
  ]);
  return id;
}

const agentKey = (id: string) => ({ kind: 'agent', tenant: 'key-a', id }) as const;

describe.each(['options', 'limits', 'usage'])('a session whose %s are damaged', (column) => {
  it('is left out of lists, told of once, and fails by its name', async () => {
    const [first, second, third] = await Promise.all(
      [1, 2, 3].map((count) =>
        store.createSession(aSession({ createdAt: `2026-01-01T00:00:0${count}.000Z` })),
      ),
    );
    damage(`update sessions set ${column} = '{"a":' where id = '${second?.id}'`);
    for (let times = 0; times < 2; times += 1) {
      const { sessions } = await store.listSessions({ limit: 10 });
      expect(idsOf(sessions)).toEqual([third?.id, first?.id]);
    }
    // A page of nothing but damage is not the last one.
    const one = await store.listSessions({ limit: 1 });
    const two = await store.listSessions({ limit: 1, after: one.next ?? '' });
    const three = await store.listSessions({ limit: 1, after: two.next ?? '' });
    expect([one, two, three].map(({ sessions }) => idsOf(sessions))).toEqual([
      [third?.id],
      [],
      [first?.id],
    ]);
    expect(told).toEqual([`session ${second?.id}`]);
    const reads = [
      store.getSession(second?.id ?? ''),
      store.findSession(second?.tenant ?? '', second?.name ?? ''),
    ];
    for (const read of reads) await expect(read).rejects.toEqual(names(`session ${second?.id}`));
    expect(told).toHaveLength(1);
  });

  it('still says which folder must stay', async () => {
    const row = await store.createSession(aSession());
    await store.append(row.id, row.epoch, [], { staleTranscriptFolder: '/processes/p1' });
    damage(`update sessions set ${column} = ''`);
    expect(await store.staleTranscriptFolders()).toEqual(['/processes/p1']);
  });
});

describe('an event that is damaged', () => {
  it.each(['body', 'detail'])(
    'in its %s is left out of lists, but not of the log',
    async (column) => {
      const id = await twoTurns();
      damage(`update events set ${column} = 'x' where number = 2`);
      const query = { order: 'asc', limit: 2, maxBytes: 1_000_000 } as const;
      const page = await store.listEvents(id, query);
      expect(page).toMatchObject({ records: [{ number: 1 }], damaged: [2], next: 2 });
      const rest = await store.listEvents(id, { ...query, beyond: 2 });
      expect(rest.records.map(({ number }) => number)).toEqual([3, 4]);
      expect(told).toEqual([`event 2 of session ${id}`]);
      // Who follows the log is never given one with a hole.
      const follow = store.readEvents(id, 0, 10);
      await expect(follow).rejects.toEqual(names(`event 2 of session ${id}`));
      expect(await store.readEvents(id, 2, 10)).toHaveLength(2);
    },
  );

  it('is nothing that a fork is decided by', async () => {
    const id = await twoTurns();
    damage('update events set body = 1e999 where number = 2');
    const early = forkPoint(store, id, 'sevt_1');
    await expect(early).rejects.toMatchObject({ code: 'storage_failed' });
    expect(await forkPoint(store, id, undefined)).toMatchObject({ upto: 4 });
  });

  it('keeps no other turn from being found after a crash', async () => {
    const [one, other] = [await twoTurns(), await twoTurns()];
    damage(`update events set body = '' where number = 4 and session_id = '${one}'`);
    const unfinished = await store.unfinishedTurns();
    expect(unfinished.map(({ prompt }) => prompt.sessionId)).toEqual([other]);
  });
});

describe('a document that is damaged', () => {
  it('is left out of lists, and fails by its name', async () => {
    const { catalog } = store;
    for (const id of ['agent_1', 'agent_2', 'agent_3'])
      await catalog.create(agentKey(id), anAgent(), AT);
    await catalog.replace(agentKey('agent_3'), 1, anAgent(), AT);
    damage(`update catalog_versions set body = '{' where document_id = 'agent_2'`);
    damage(`update catalog_versions set body = '{' where document_id = 'agent_3' and version = 1`);
    const one = await catalog.list('agent', { tenant: 'key-a', limit: 2 });
    const two = await catalog.list('agent', { tenant: 'key-a', limit: 2, after: one.next ?? '' });
    expect([idsOf(one.items), idsOf(two.items)]).toEqual([['agent_3'], ['agent_1']]);
    expect(await catalog.listAll('agent', { limit: 2 })).toMatchObject({
      items: [{ document: { id: 'agent_1' } }],
      damaged: ['agent_2'],
      next: 'agent_2',
    });
    const versions = await catalog.listVersions(agentKey('agent_3'), { limit: 10 });
    expect(versions.items.map(({ version }) => version)).toEqual([2]);
    const damaged = names('definition of agent agent_2 (version 1)');
    await expect(catalog.get(agentKey('agent_2'))).rejects.toEqual(damaged);
    expect(told).toHaveLength(2);
  });
});
