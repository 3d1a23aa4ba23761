import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewSession, SessionRow, SessionStore } from '../../src/contracts/session-store.ts';
import { NO_USAGE, type EventRecord } from '../../src/events/record.ts';
import {
  aDelivery,
  anEnd,
  aPrompt,
  aRecord,
  aSession,
  AT,
  failsWith,
  someRecords,
} from './session-samples.ts';
import { describeEventQueries } from './event-queries.ts';
import { describeSessionFork } from './session-fork.ts';
import { describeTranscripts } from './transcripts.ts';

/** An opened store; `reopen` closes it and opens what it kept, and is absent where nothing is kept. */
export interface OpenedStore {
  readonly store: SessionStore;
  readonly reopen?: () => Promise<SessionStore>;
}

/** What every {@link SessionStore} must do. `open` gives an empty store, and clears away after the test by itself. */
export function describeSessionStore(name: string, open: () => Promise<OpenedStore>): void {
  describe(`${name} as a session store`, () => {
    let store: SessionStore;
    let reopen: OpenedStore['reopen'];
    const create = (over: Partial<NewSession> = {}): Promise<SessionRow> =>
      store.createSession(aSession(over));

    /** Makes `count` sessions, a second apart, of two tenants and both kinds; their ids, newest first. */
    const createMany = async (count: number): Promise<string[]> => {
      const ids: string[] = [];
      for (let index = 0; index < count; index += 1) {
        const createdAt = new Date(Date.parse(AT) + index * 1000).toISOString();
        const kind = index % 3 === 0 ? 'one_shot' : 'named';
        const tenant = index % 2 === 0 ? 'key-a' : 'key-b';
        ids.push((await create({ createdAt, kind, tenant })).id);
      }
      return ids.toReversed();
    };
    /** The ids of all pages of a listing. */
    const walk = async (query: {
      tenant?: string;
      kind?: SessionRow['kind'];
      limit: number;
    }): Promise<string[]> => {
      const ids: string[] = [];
      let after: string | undefined;
      do {
        const page = await store.listSessions({ ...query, ...(after !== undefined && { after }) });
        expect(page.sessions.length).toBeLessThanOrEqual(query.limit);
        ids.push(...page.sessions.map(({ id }) => id));
        after = page.next ?? undefined;
      } while (after !== undefined);
      return ids;
    };
    const keptNumbers = async (id: string) =>
      (await store.readEvents(id, 0, 10_000)).map(({ number }) => number);
    const unfinished = async () =>
      (await store.unfinishedTurns()).map(({ prompt, delivered }) => ({
        turnId: prompt.turnId,
        delivered,
      }));

    beforeEach(async () => {
      ({ store, reopen } = await open());
    });
    afterEach(() => store.close());

    describe('sessions', () => {
      it('gives a created session back in full, by id and by name', async () => {
        const session = aSession({ kind: 'one_shot', ownsWorkspace: false });
        const row = await store.createSession(session);
        expect(row).toEqual({
          ...session,
          epoch: 1,
          usage: NO_USAGE,
          turnCount: 0,
          activeMs: 0,
          archivedAt: null,
          staleTranscriptFolder: null,
          lastActiveAt: session.createdAt,
        });
        expect(await store.getSession(row.id)).toEqual(row);
        expect(await store.findSession(row.tenant, row.name)).toEqual(row);
      });

      it('knows no session that was not created', async () => {
        expect(await store.getSession('sesn_none')).toBeUndefined();
        expect(await store.findSession('key-a', 'none')).toBeUndefined();
        expect(await store.lastEventNumber('sesn_none')).toBe(0);
        expect(await store.readEvents('sesn_none', 0, 10)).toEqual([]);
      });

      it('refuses a second session of one name as busy, and keeps the first', async () => {
        const first = await create({ name: 'demo' });
        await expect(create({ name: 'demo' })).rejects.toEqual(failsWith('session_busy'));
        expect(await store.findSession('key-a', 'demo')).toEqual(first);
      });

      it('refuses a second session of one id', async () => {
        const first = await create();
        await expect(create({ id: first.id })).rejects.toEqual(failsWith('storage_failed'));
        expect(await store.getSession(first.id)).toEqual(first);
      });

      it('lets exactly one of many creators of one name win', async () => {
        const attempts = Array.from({ length: 20 }, () => create({ name: 'demo' }));
        const outcomes = await Promise.allSettled(attempts);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
        expect(refusals.map(({ reason }): unknown => reason)).toEqual(
          Array.from({ length: 19 }, () => failsWith('session_busy')),
        );
      });

      it('keeps the names of tenants apart', async () => {
        const a = await create({ tenant: 'key-a', name: 'demo' });
        const b = await create({ tenant: 'key-b', name: 'demo' });
        expect((await store.findSession('key-a', 'demo'))?.id).toBe(a.id);
        expect((await store.findSession('key-b', 'demo'))?.id).toBe(b.id);
        expect(await store.findSession('key-c', 'demo')).toBeUndefined();
        expect((await store.listSessions({ tenant: 'key-b', limit: 10 })).sessions).toEqual([b]);
      });

      it('takes a name as it is: no wildcard, no quote, no difference of case is lost', async () => {
        const names = ['demo', 'Demo', 'demo ', '%', "d'emo", 'ďemo', '👩‍🚒', 'a"b\\c'];
        for (const each of names) await create({ name: each });
        for (const each of names) expect((await store.findSession('key-a', each))?.name).toBe(each);
        expect(await store.findSession('key-a', 'DEMO')).toBeUndefined();
      });

      it('gives copies: changing one changes nothing that is kept', async () => {
        const options = { model: 'before', tools: ['Read'] };
        const row = await create({ options });
        options.model = 'after';
        options.tools.push('Write');
        Object.assign(row.options, { model: 'changed' });
        Object.assign(row, { epoch: 99 });
        const kept = await store.getSession(row.id);
        expect(kept).toMatchObject({ epoch: 1, options: { model: 'before', tools: ['Read'] } });
      });
    });

    describe('listing', () => {
      it('says that an empty listing has no next page', async () => {
        expect(await store.listSessions({ limit: 1 })).toEqual({ sessions: [], next: null });
      });

      it('gives every session once, newest first, whatever the size of a page', async () => {
        const ids = await createMany(10);
        for (const limit of [1, 3, 5, 10, 1000]) expect(await walk({ limit })).toEqual(ids);
      });

      it('gives no next page when the last one is just full', async () => {
        await createMany(4);
        const first = await store.listSessions({ limit: 2 });
        const second = await store.listSessions({ limit: 2, after: first.next ?? '' });
        expect(second.next).toBeNull();
      });

      it('gives sessions of one moment once each', async () => {
        const ids = await Promise.all(
          Array.from({ length: 7 }, async () => (await create({ createdAt: AT })).id),
        );
        expect(await walk({ limit: 2 })).toEqual(ids.toSorted().toReversed());
      });

      it('keeps to the tenant and the kind that were asked for', async () => {
        await createMany(12);
        expect(await walk({ tenant: 'key-a', limit: 2 })).toHaveLength(6);
        expect(await walk({ kind: 'one_shot', limit: 2 })).toHaveLength(4);
        expect(await walk({ tenant: 'key-b', kind: 'one_shot', limit: 2 })).toHaveLength(2);
        expect(await walk({ tenant: 'key-c', limit: 2 })).toHaveLength(0);
      });

      it('counts the named sessions of one tenant, and no deleted one', async () => {
        expect(await store.countSessions('key-a')).toBe(0);
        const [newest = ''] = await createMany(8);
        const ofA = await walk({ tenant: 'key-a', kind: 'named', limit: 100 });
        expect(await store.countSessions('key-a')).toBe(ofA.length);
        expect(await store.countSessions('key-b')).toBe(3);
        await store.deleteSession(newest);
        expect(await store.countSessions('key-b')).toBe(2);
      });

      it('goes on at the same place when sessions come and go between two pages', async () => {
        const ids = await createMany(6);
        const first = await store.listSessions({ limit: 3 });
        await store.deleteSession(ids[2] ?? '');
        await create({ createdAt: '2027-01-01T00:00:00.000Z' });
        const second = await store.listSessions({ limit: 3, after: first.next ?? '' });
        expect(second.sessions.map(({ id }) => id)).toEqual(ids.slice(3));
      });

      it.each(['', 'nonsense', '{"a":1}', Buffer.from('["x"]').toString('base64url')])(
        'refuses the cursor %j',
        async (after) => {
          await expect(store.listSessions({ limit: 1, after })).rejects.toEqual(
            failsWith('invalid_request'),
          );
        },
      );

      it.each([0, -1, 1.5, 1001, Number.NaN])('refuses the limit %d', async (limit) => {
        await expect(store.listSessions({ limit })).rejects.toEqual(failsWith('invalid_request'));
      });
    });

    describe('ownership', () => {
      it('raises the epoch with every claim, also of the same owner', async () => {
        const { id } = await create();
        expect(await store.claimSession(id, 'host-2')).toMatchObject({ owner: 'host-2', epoch: 2 });
        expect(await store.claimSession(id, 'host-2')).toMatchObject({ owner: 'host-2', epoch: 3 });
        expect(await store.getSession(id)).toMatchObject({ owner: 'host-2', epoch: 3 });
      });

      it('has no session to claim that is not there', async () => {
        await expect(store.claimSession('sesn_none', 'host-1')).rejects.toEqual(
          failsWith('session_not_found'),
        );
      });

      it('writes nothing for an owner whose epoch is over', async () => {
        const { id } = await create();
        await store.append(id, 1, someRecords(id, 1, 2));
        await store.claimSession(id, 'host-2');
        const stale = store.append(id, 1, [aPrompt(id, 3, 'turn_2')], { turnCount: 7 });
        await expect(stale).rejects.toEqual(failsWith('session_moved'));
        expect(await store.lastEventNumber(id)).toBe(2);
        expect(await store.readEvents(id, 2, 10)).toEqual([]);
        expect(await store.getSession(id)).toMatchObject({ turnCount: 0 });
        expect(await store.unfinishedTurns()).toEqual([]);
        await store.append(id, 2, someRecords(id, 3, 3));
        expect(await store.lastEventNumber(id)).toBe(3);
      });

      it('refuses an epoch that is not reached yet', async () => {
        const { id } = await create();
        await expect(store.append(id, 2, someRecords(id, 1, 1))).rejects.toEqual(
          failsWith('session_moved'),
        );
      });

      it('checks the epoch of a change without records too', async () => {
        const { id } = await create();
        await store.claimSession(id, 'host-2');
        await expect(store.append(id, 1, [], { turnCount: 1 })).rejects.toEqual(
          failsWith('session_moved'),
        );
        await expect(store.append(id, 1, [])).rejects.toEqual(failsWith('session_moved'));
        await store.append(id, 2, []);
      });
    });

    describe('events', () => {
      it('gives back what was appended, equal in depth', async () => {
        const { id } = await create();
        const records = [
          aPrompt(id, 1, 'turn_1'),
          aDelivery(id, 2, 'turn_1'),
          aRecord(id, 3, {
            turnId: null,
            body: {
              id: 'sevt_3',
              type: 'agent.tool_use',
              name: 'Bash',
              processed_at: AT,
              input: { deep: [{ list: [1, 2.5, null, true, ''] }], empty: {}, __proto__x: 1 },
            },
            detail: { toolUseId: 'toolu_1', blockIndex: 0, thinking: '' },
          }),
          anEnd(id, 4, 'turn_1'),
        ];
        await store.append(id, 1, records);
        expect(await store.readEvents(id, 0, 10)).toStrictEqual(records);
      });

      it('reads from a number, in order, up to a limit', async () => {
        const { id } = await create();
        await store.append(id, 1, someRecords(id, 1, 120));
        await store.append(id, 1, someRecords(id, 121, 130));
        const numbers = async (after: number, limit: number) =>
          (await store.readEvents(id, after, limit)).map(({ number }) => number);
        expect(await numbers(0, 3)).toEqual([1, 2, 3]);
        expect(await numbers(119, 3)).toEqual([120, 121, 122]);
        expect(await numbers(128, 10_000)).toEqual([129, 130]);
        expect(await numbers(130, 5)).toEqual([]);
        expect(await numbers(999, 5)).toEqual([]);
        expect(await numbers(0, 10_000)).toHaveLength(130);
        expect(await store.lastEventNumber(id)).toBe(130);
      });

      it('reads no more than so many bytes of bodies and details, but always one record', async () => {
        const { id } = await create();
        // Texts of which the characters are fewer than the bytes.
        const records = [1, 2, 3, 4].map((number) =>
          aRecord(id, number, { text: 'ä'.repeat(number === 3 ? 5_000 : 1_000) }),
        );
        await store.append(id, 1, records);
        const sizes = records.map(({ body, detail }) =>
          Buffer.byteLength(JSON.stringify(body) + JSON.stringify(detail)),
        );
        const [first = 0, second = 0] = sizes;
        const numbers = async (after: number, limit: number, maxBytes: number) =>
          (await store.readEvents(id, after, limit, maxBytes)).map(({ number }) => number);
        expect(await numbers(0, 10, 1)).toEqual([1]);
        expect(await numbers(0, 10, first + second - 1)).toEqual([1]);
        expect(await numbers(0, 10, first + second)).toEqual([1, 2]);
        // No later one that would fit comes past one that does not.
        expect(await numbers(1, 10, second + 2_500)).toEqual([2]);
        expect(await numbers(2, 10, 1)).toEqual([3]);
        expect(await numbers(0, 3, 1_000_000)).toEqual([1, 2, 3]);
        expect(await numbers(4, 10, 1)).toEqual([]);
      });

      it('trims the oldest events beyond a number; numbers never begin again', async () => {
        const { id } = await create();
        for (const turn of [0, 1, 2, 3])
          await store.append(id, 1, turnOf(id, 3 * turn + 1, `turn_${turn}`));
        expect(await store.trimEvents(id, { maxEvents: 5 }, 100)).toEqual({
          removed: 7,
          more: false,
        });
        expect(await keptNumbers(id)).toEqual([8, 9, 10, 11, 12]);
        expect((await store.readEvents(id, 3, 2)).map(({ number }) => number)).toEqual([8, 9]);
        expect(await store.trimEvents(id, { maxEvents: 5 }, 100)).toEqual({
          removed: 0,
          more: false,
        });
        expect(await store.lastEventNumber(id)).toBe(12);
        await store.append(id, 1, [aRecord(id, 13, { turnId: null })]);
        store = (await reopen?.()) ?? store;
        expect(await keptNumbers(id)).toEqual([8, 9, 10, 11, 12, 13]);
        expect(await store.lastEventNumber(id)).toBe(13);
      });

      it('keeps the last turn and the last record, whatever is asked', async () => {
        const { id } = await create();
        await store.append(id, 1, [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')]);
        await store.append(id, 1, [aRecord(id, 7, { turnId: null })]);
        expect(await store.trimEvents(id, { maxEvents: 1 }, 100)).toMatchObject({ removed: 3 });
        expect(await keptNumbers(id)).toEqual([4, 5, 6, 7]);
        const { id: bare } = await create();
        await store.append(
          bare,
          1,
          [1, 2, 3].map((n) => aRecord(bare, n, { turnId: null })),
        );
        const future = { maxEvents: 1, maxBytes: 0, notBefore: '2999-01-01T00:00:00.000Z' };
        await store.trimEvents(bare, future, 100);
        expect(await keptNumbers(bare)).toEqual([3]);
      });

      it('keeps what belongs to a turn without an end, and its prompt', async () => {
        const { id } = await create();
        await store.append(id, 1, turnOf(id, 1, 'turn_1'));
        await store.append(id, 1, turnOf(id, 4, 'turn_2', false));
        await store.append(id, 1, turnOf(id, 7, 'turn_3'));
        await store.trimEvents(id, { maxEvents: 1 }, 100);
        expect(await keptNumbers(id)).toEqual([4, 5, 6, 7, 8, 9]);
        expect(await unfinished()).toEqual([{ turnId: 'turn_2', delivered: false }]);
        await store.append(id, 1, [anEnd(id, 10, 'turn_2')]);
        await store.append(id, 1, turnOf(id, 11, 'turn_4'));
        await store.trimEvents(id, { maxEvents: 1 }, 100);
        expect(await keptNumbers(id)).toEqual([11, 12, 13]);
      });

      it('trims by size, of the UTF-8 of bodies and details', async () => {
        const { id } = await create();
        const records = [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')].map((record) =>
          record.number === 2
            ? aRecord(id, 2, { turnId: 'turn_1', text: '💥ü'.repeat(100) })
            : record,
        );
        await store.append(id, 1, records);
        await store.trimEvents(id, { maxBytes: sizeOf(records) }, 100);
        expect(await keptNumbers(id)).toHaveLength(6);
        await store.trimEvents(id, { maxBytes: sizeOf(records) - 1 }, 100);
        expect(await keptNumbers(id)).toHaveLength(5);
        await store.trimEvents(id, { maxBytes: sizeOf(records.slice(2)) }, 100);
        expect(await keptNumbers(id)).toHaveLength(4);
        await store.trimEvents(id, { maxBytes: sizeOf(records.slice(2)) - 1 }, 100);
        expect(await keptNumbers(id)).toEqual([4, 5, 6]);
      });

      it('trims by age up to the first event that is young enough', async () => {
        const { id } = await create();
        // The wall clock went back once: what stands behind a young event stays with it.
        const seconds = [0, 1, 5, 2, 9, 9, 9];
        const records = [
          ...turnOf(id, 1, 'turn_1'),
          aRecord(id, 4, { turnId: null }),
          ...turnOf(id, 5, 'turn_2'),
        ].map((record, index) => ({ ...record, at: at(seconds[index] ?? 0) }));
        await store.append(id, 1, records);
        await store.trimEvents(id, { notBefore: at(0) }, 100);
        expect(await keptNumbers(id)).toHaveLength(7);
        await store.trimEvents(id, { notBefore: at(3) }, 100);
        expect(await keptNumbers(id)).toEqual([3, 4, 5, 6, 7]);
        await store.trimEvents(id, { notBefore: at(9) }, 100);
        expect(await keptNumbers(id)).toEqual([5, 6, 7]);
      });

      it('trims a bounded number in one call, and says when there is more', async () => {
        const { id } = await create();
        await store.append(id, 1, someRecords(id, 1, 9));
        await store.append(id, 1, turnOf(id, 10, 'turn_2'));
        const results = [];
        for (let call = 0; call < 4; call += 1)
          results.push(await store.trimEvents(id, { maxEvents: 3 }, 4));
        expect(results).toEqual([
          { removed: 4, more: true },
          { removed: 4, more: true },
          { removed: 1, more: false },
          { removed: 0, more: false },
        ]);
        expect(await keptNumbers(id)).toEqual([10, 11, 12]);
      });

      it('counts once what two calls at a time remove', async () => {
        const { id } = await create();
        await store.append(id, 1, [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')]);
        const trim = () => store.trimEvents(id, { maxEvents: 3 }, 100);
        const removed = (await Promise.all([trim(), trim()])).map((result) => result.removed);
        expect(removed.toSorted((a, b) => a - b)).toEqual([0, 3]);
        await store.append(id, 1, turnOf(id, 7, 'turn_3'));
        expect(await store.trimEvents(id, { maxBytes: 1 }, 100)).toMatchObject({ removed: 3 });
        expect(await keptNumbers(id)).toEqual([7, 8, 9]);
      });

      it('trims nothing without a bound, and nothing of a session that is not there', async () => {
        const { id } = await create();
        await store.append(id, 1, [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')]);
        const nothing = { removed: 0, more: false };
        expect(await store.trimEvents(id, {}, 100)).toEqual(nothing);
        expect(await store.trimEvents('sesn_none', { maxEvents: 1 }, 100)).toEqual(nothing);
        await expect(store.trimEvents(id, {}, 0)).rejects.toEqual(failsWith('invalid_request'));
      });

      it.each([0, -1, 0.5, 10_001])('refuses to read %d records', async (limit) => {
        const { id } = await create();
        await expect(store.readEvents(id, 0, limit)).rejects.toEqual(failsWith('invalid_request'));
      });

      it.each([
        ['a gap to the last record', [4]],
        ['a number that is there already', [2]],
        ['a gap among the records', [3, 5]],
        ['two records of one number', [3, 3]],
        ['records in the wrong order', [4, 3]],
      ])('refuses %s, and keeps nothing of the append', async (_what, numbers) => {
        const { id } = await create();
        await store.append(id, 1, someRecords(id, 1, 2));
        const records = numbers.map((number) => aRecord(id, number, { text: 'refused' }));
        await expect(store.append(id, 1, records, { turnCount: 3 })).rejects.toEqual(
          failsWith('storage_failed'),
        );
        expect(await store.readEvents(id, 0, 10)).toEqual(someRecords(id, 1, 2));
        expect(await store.lastEventNumber(id)).toBe(2);
        expect(await store.getSession(id)).toMatchObject({ turnCount: 0 });
      });

      it('refuses a first record that is not number 1', async () => {
        const { id } = await create();
        await expect(store.append(id, 1, someRecords(id, 2, 3))).rejects.toEqual(
          failsWith('storage_failed'),
        );
        await expect(store.append(id, 1, someRecords(id, 0, 1))).rejects.toEqual(
          failsWith('storage_failed'),
        );
      });

      it('refuses a record of another session', async () => {
        const { id } = await create();
        const other = await create();
        await expect(store.append(id, 1, [aRecord(other.id, 1)])).rejects.toEqual(
          failsWith('storage_failed'),
        );
      });

      it('has no session to append to that is not there', async () => {
        await expect(store.append('sesn_none', 1, [aRecord('sesn_none', 1)])).rejects.toEqual(
          failsWith('session_not_found'),
        );
      });

      it('changes the row together with the records, and only what the patch names', async () => {
        const row = await create();
        const usage = { ...NO_USAGE, inputTokens: 12, costUsd: 0.125 };
        await store.append(row.id, 1, someRecords(row.id, 1, 1), {
          options: { tools: [] },
          limits: { turnMs: 5_000 },
          staleTranscriptFolder: '/data/p1',
          usage,
          turnCount: 1,
          activeMs: 5_000_000_000,
          archivedAt: '2026-05-06T00:00:00.000Z',
          lastActiveAt: '2026-05-05T00:00:00.000Z',
        });
        const changed = await store.getSession(row.id);
        expect(changed).toEqual({
          ...row,
          options: { tools: [] },
          limits: { turnMs: 5_000 },
          staleTranscriptFolder: '/data/p1',
          usage,
          turnCount: 1,
          activeMs: 5_000_000_000,
          archivedAt: '2026-05-06T00:00:00.000Z',
          lastActiveAt: '2026-05-05T00:00:00.000Z',
        });
        await store.append(row.id, 1, [], { staleTranscriptFolder: null });
        expect(await store.getSession(row.id)).toEqual({
          ...changed,
          staleTranscriptFolder: null,
        });
      });

      it('keeps large and strange text as it was', async () => {
        const { id } = await create();
        const texts = [
          'x'.repeat(1024 * 1024),
          'π — 漢字 — 👩‍👩‍👧 — \u0000\u0001\u001f — \u2028 — "\\\n\r\t',
          '\ud83d lone surrogate \udc00',
          '',
        ];
        await store.append(
          id,
          1,
          texts.map((text, index) => aRecord(id, index + 1, { text })),
        );
        const read = await store.readEvents(id, 0, 10);
        expect(read).toStrictEqual(texts.map((text, index) => aRecord(id, index + 1, { text })));
      });

      it('gives copies of its records, and keeps copies', async () => {
        const { id } = await create();
        const record = aRecord(id, 1, { detail: { usage: { ...NO_USAGE } } });
        await store.append(id, 1, [record]);
        Object.assign(record.detail, { model: 'changed' });
        const [read] = await store.readEvents(id, 0, 1);
        Object.assign(read?.body ?? {}, { id: 'changed' });
        expect(await store.readEvents(id, 0, 1)).toEqual([
          aRecord(id, 1, { detail: { usage: NO_USAGE } }),
        ]);
      });

      it('keeps the order of appends that nobody waited for, on many sessions at once', async () => {
        const sessions = await Promise.all(Array.from({ length: 25 }, () => create()));
        const appends: Promise<void>[] = [];
        for (let number = 1; number <= 20; number += 1) {
          for (const { id } of sessions) {
            appends.push(
              store.append(id, 1, [aRecord(id, number, { text: `${id} ${number}` })], {
                turnCount: number,
              }),
            );
          }
        }
        await Promise.all(appends);
        for (const { id } of sessions) {
          const expected = Array.from({ length: 20 }, (_, index) =>
            aRecord(id, index + 1, { text: `${id} ${index + 1}` }),
          );
          expect(await store.readEvents(id, 0, 100)).toEqual(expected);
          expect(await store.getSession(id)).toMatchObject({ turnCount: 20 });
        }
      });

      it('lets exactly one of two appends with one number win', async () => {
        const { id } = await create();
        const outcomes = await Promise.allSettled([
          store.append(id, 1, [aRecord(id, 1, { text: 'a' })]),
          store.append(id, 1, [aRecord(id, 1, { text: 'b' })]),
        ]);
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        expect(await store.lastEventNumber(id)).toBe(1);
      });
    });

    describe('unfinished turns', () => {
      it('is a turn whose prompt was kept, with its session and its prompt', async () => {
        const { id } = await create();
        const prompt = aPrompt(id, 2, 'turn_1');
        await store.append(id, 1, [aRecord(id, 1, { turnId: null }), prompt], { turnCount: 1 });
        const session = await store.getSession(id);
        expect(await store.unfinishedTurns()).toEqual([{ session, prompt, delivered: false }]);
      });

      it('says whether the prompt was marked delivered', async () => {
        const { id } = await create();
        await store.append(id, 1, [aPrompt(id, 1, 'turn_1')]);
        await store.append(id, 1, [aDelivery(id, 2, 'turn_1')]);
        expect(await unfinished()).toEqual([{ turnId: 'turn_1', delivered: true }]);
      });

      it('keeps what its agent is given until that is delivered, and no reader ever has it', async () => {
        const { id } = await create();
        const prompts = [aPrompt(id, 1, 'turn_1'), aPrompt(id, 2, 'turn_2')];
        const given = { given: [{ type: 'text' as const, text: 'the 文件 itself' }] };
        await store.append(
          id,
          1,
          prompts.map((prompt) => ({ ...prompt, ...given })),
        );
        await store.append(id, 1, [aDelivery(id, 3, 'turn_1')]);
        store = (await reopen?.()) ?? store;
        expect(await store.givenContent(id, 'turn_1')).toBeUndefined();
        expect(await store.givenContent(id, 'turn_2')).toEqual(given.given);
        expect(await store.givenContent(id, 'turn_3')).toBeUndefined();
        expect(await store.givenContent('sesn_other', 'turn_2')).toBeUndefined();
        expect((await store.unfinishedTurns()).map(({ prompt }) => prompt)).toEqual(prompts);
        expect(await store.readEvents(id, 0, 2)).toEqual(prompts);
        expect(await store.readEvents(id, 0, 2, 1_000_000)).toEqual(prompts);
        const query = { order: 'asc', limit: 2, maxBytes: 1_000_000 } as const;
        expect((await store.listEvents(id, query)).records).toEqual(prompts);
        expect(JSON.stringify(await store.readEvents(id, 0, 10))).not.toContain('given');
        await store.append(id, 1, [anEnd(id, 4, 'turn_2')]);
        expect(await store.givenContent(id, 'turn_2')).toBeUndefined();
      });

      it('is none any more once the turn has its end', async () => {
        const { id } = await create();
        await store.append(id, 1, [aPrompt(id, 1, 'turn_1'), aDelivery(id, 2, 'turn_1')]);
        await store.append(id, 1, [anEnd(id, 3, 'turn_1')]);
        expect(await unfinished()).toEqual([]);
      });

      it('is none when the turn was withdrawn before it was delivered', async () => {
        const { id } = await create();
        await store.append(id, 1, [aPrompt(id, 1, 'turn_1'), anEnd(id, 2, 'turn_1')]);
        expect(await unfinished()).toEqual([]);
      });

      it('begins with a prompt only: a user message without prompt options begins none', async () => {
        const { id } = await create();
        const note = { ...aPrompt(id, 1, 'turn_1'), detail: {} };
        await store.append(id, 1, [note, aDelivery(id, 2, 'turn_2')]);
        expect(await unfinished()).toEqual([]);
      });

      it('comes in the order in which the turns began, over all sessions', async () => {
        const a = await create();
        const b = await create();
        await store.append(b.id, 1, [aPrompt(b.id, 1, 'turn_b1')]);
        await store.append(a.id, 1, [aPrompt(a.id, 1, 'turn_a1'), aPrompt(a.id, 2, 'turn_a2')]);
        await store.append(b.id, 1, [aPrompt(b.id, 2, 'turn_b2'), aDelivery(b.id, 3, 'turn_b1')]);
        expect(await unfinished()).toEqual([
          { turnId: 'turn_b1', delivered: true },
          { turnId: 'turn_a1', delivered: false },
          { turnId: 'turn_a2', delivered: false },
          { turnId: 'turn_b2', delivered: false },
        ]);
        await store.append(a.id, 1, [anEnd(a.id, 3, 'turn_a1')]);
        await store.append(a.id, 1, [aPrompt(a.id, 4, 'turn_a3')]);
        expect((await unfinished()).map(({ turnId }) => turnId)).toEqual([
          'turn_b1',
          'turn_a2',
          'turn_b2',
          'turn_a3',
        ]);
      });

      it('keeps turns of one id in two sessions apart', async () => {
        const a = await create();
        const b = await create();
        for (const { id } of [a, b]) await store.append(id, 1, [aPrompt(id, 1, 'turn_1')]);
        await store.append(a.id, 1, [anEnd(a.id, 2, 'turn_1')]);
        expect((await store.unfinishedTurns()).map(({ session }) => session.id)).toEqual([b.id]);
      });
    });

    describeEventQueries(() => store);
    describeSessionFork(() => store);
    describeTranscripts(() => store);

    describe('deleting', () => {
      it('takes the events, the open turns, the transcripts and the name with the session', async () => {
        const row = await create({ name: 'demo' });
        const key = { agentSessionId: row.agentSessionId, subpath: '' };
        const entry = { type: 'user', uuid: 'a' };
        await store.append(row.id, 1, [aPrompt(row.id, 1, 'turn_1')]);
        await store.transcripts.append(key, [entry]);
        await store.transcripts.append({ ...key, subpath: 'sub' }, [entry]);
        const beside = await create();
        const besideKey = { agentSessionId: beside.agentSessionId, subpath: '' };
        await store.append(beside.id, 1, someRecords(beside.id, 1, 2));
        await store.transcripts.append(besideKey, [entry]);

        await store.deleteSession(row.id);

        expect(await store.getSession(row.id)).toBeUndefined();
        expect(await store.findSession('key-a', 'demo')).toBeUndefined();
        expect(await store.readEvents(row.id, 0, 10)).toEqual([]);
        expect(await store.lastEventNumber(row.id)).toBe(0);
        expect(await store.unfinishedTurns()).toEqual([]);
        expect(await store.transcripts.load(key)).toEqual([]);
        expect(await store.transcripts.listSubpaths(row.agentSessionId)).toEqual([]);
        await expect(store.append(row.id, 1, [aRecord(row.id, 2)])).rejects.toEqual(
          failsWith('session_not_found'),
        );
        expect(await store.lastEventNumber(beside.id)).toBe(2);
        expect(await store.transcripts.load(besideKey)).toEqual([entry]);

        const again = await store.createSession(aSession({ ...row, id: row.id, name: 'demo' }));
        expect(again.epoch).toBe(1);
        await store.append(row.id, 1, someRecords(row.id, 1, 1));
      });

      it('does nothing for a session that is not there', async () => {
        await expect(store.deleteSession('sesn_none')).resolves.toBeUndefined();
        const { id } = await create();
        await store.deleteSession(id);
        await expect(store.deleteSession(id)).resolves.toBeUndefined();
      });
    });

    describe('closing', () => {
      it('finishes what was asked for before it, and may be asked for twice', async () => {
        const { id } = await create();
        const append = store.append(id, 1, someRecords(id, 1, 200));
        await Promise.all([store.close(), store.close()]);
        await expect(append).resolves.toBeUndefined();
        await store.close();
      });

      it('refuses every call after it', async () => {
        const { id } = await create();
        await store.close();
        const closed = failsWith('storage_failed');
        await expect(store.getSession(id)).rejects.toEqual(closed);
        await expect(store.append(id, 1, [])).rejects.toEqual(closed);
        await expect(store.unfinishedTurns()).rejects.toEqual(closed);
        const key = { agentSessionId: 'x', subpath: '' };
        await expect(store.transcripts.load(key)).rejects.toEqual(closed);
        await expect(store.transcripts.append(key, [{ type: 'user' }])).rejects.toEqual(closed);
      });

      it('keeps everything for the next opening', async ({ skip }) => {
        skip(reopen === undefined, 'What is in memory ends with the process.');
        if (reopen === undefined) return;
        const row = await create({ name: 'demo' });
        const key = { agentSessionId: row.agentSessionId, subpath: 'sub' };
        const records = [aPrompt(row.id, 1, 'turn_1'), aDelivery(row.id, 2, 'turn_1')];
        await store.append(row.id, 1, records, { turnCount: 1, limits: { startMs: 5_000 } });
        await store.transcripts.append(key, [{ type: 'user', uuid: 'a' }]);
        await store.claimSession(row.id, 'host-2');
        const before = await store.getSession(row.id);

        store = await reopen();

        expect(await store.findSession('key-a', 'demo')).toEqual(before);
        expect(await store.readEvents(row.id, 0, 10)).toEqual(records);
        expect(await store.unfinishedTurns()).toEqual([
          { session: before, prompt: records[0], delivered: true },
        ]);
        expect(await store.transcripts.load(key)).toEqual([{ type: 'user', uuid: 'a' }]);
        await expect(store.append(row.id, 1, [aRecord(row.id, 3)])).rejects.toEqual(
          failsWith('session_moved'),
        );
        await store.append(row.id, 2, [anEnd(row.id, 3, 'turn_1')]);
        expect(await store.unfinishedTurns()).toEqual([]);
      });
    });
  });
}

/** A turn of three records; without its end, the third says something. */
function turnOf(id: string, from: number, turnId: string, ends = true): EventRecord[] {
  return [
    aPrompt(id, from, turnId),
    aRecord(id, from + 1, { turnId }),
    ends ? anEnd(id, from + 2, turnId) : aRecord(id, from + 2, { turnId }),
  ];
}

function sizeOf(records: readonly EventRecord[]): number {
  return records.reduce(
    (sum, { body, detail }) =>
      sum + Buffer.byteLength(JSON.stringify(body) + JSON.stringify(detail)),
    0,
  );
}

/** Seconds after {@link AT}. */
function at(seconds: number): string {
  return new Date(Date.parse(AT) + seconds * 1000).toISOString();
}
