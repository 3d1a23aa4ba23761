import { describe, expect, it } from 'vitest';
import {
  KEEP_REQUESTS_MS,
  type EventQuery,
  type RequestMark,
  type SessionStore,
} from '../../../src/contracts/session-store.ts';
import type { EventRecord } from '../../../src/events/record.ts';
import { numbersOf } from '../../support/session-events.ts';
import {
  aDelivery,
  anEnd,
  aPrompt,
  aRecord,
  aSession,
  at,
  AT,
  failsWith,
  someRecords,
} from '../session-samples.ts';

const after = (ms: number): string => new Date(Date.parse(AT) + ms).toISOString();

/** What every session store finds among its records, and keeps of the requests that they came with. */
export function describeEventQueries(storeOf: () => SessionStore): void {
  const create = (): Promise<{ id: string }> => storeOf().createSession(aSession());
  const all = { order: 'asc', limit: 100, maxBytes: 1_000_000 } as const;
  const listed = async (id: string, query: Partial<EventQuery>): Promise<number[]> =>
    numbersOf((await storeOf().listEvents(id, { ...all, ...query })).records);
  /** The numbers of all pages of a listing. */
  const walk = async (id: string, query: Partial<EventQuery>): Promise<number[][]> => {
    const pages: number[][] = [];
    let beyond: number | undefined;
    do {
      const page = await storeOf().listEvents(id, { ...all, ...query, beyond });
      pages.push(numbersOf(page.records));
      beyond = page.next ?? undefined;
    } while (beyond !== undefined);
    return pages;
  };
  /** Ten records, a second apart; every third is a thought. */
  const createTen = async (): Promise<string> => {
    const { id } = await create();
    const records = someRecords(id, 1, 10).map((record): EventRecord => {
      const { number } = record;
      if (number % 3 !== 0) return { ...record, at: at(number) };
      const body = { id: `sevt_${number}`, type: 'agent.thinking', processed_at: AT } as const;
      return { ...aRecord(id, number, { body }), at: at(number) };
    });
    await storeOf().append(id, 1, records);
    return id;
  };

  describe('records as they are looked for', () => {
    it('come in pages, either way, each record once', async () => {
      const id = await createTen();
      expect(await walk(id, { limit: 4 })).toEqual([
        [1, 2, 3, 4],
        [5, 6, 7, 8],
        [9, 10],
      ]);
      expect(await walk(id, { limit: 5, order: 'desc' })).toEqual([
        [10, 9, 8, 7, 6],
        [5, 4, 3, 2, 1],
      ]);
    });

    it('come as they were appended', async () => {
      const id = await createTen();
      const { records } = await storeOf().listEvents(id, all);
      expect(records).toEqual(await storeOf().readEvents(id, 0, 100));
    });

    it('come by their types, in the order of their numbers', async () => {
      const id = await createTen();
      expect(await walk(id, { types: ['agent.thinking'], limit: 2 })).toEqual([[3, 6], [9]]);
      expect(await walk(id, { types: ['agent.thinking'], limit: 2, order: 'desc' })).toEqual([
        [9, 6],
        [3],
      ]);
      expect(await walk(id, { types: ['agent.thinking', 'agent.message'], limit: 6 })).toEqual([
        [1, 2, 3, 4, 5, 6],
        [7, 8, 9, 10],
      ]);
      expect(await listed(id, { types: ['user.message'] })).toEqual([]);
    });

    it('come by their times, both bounds included', async () => {
      const id = await createTen();
      expect(await listed(id, { from: at(4) })).toEqual([4, 5, 6, 7, 8, 9, 10]);
      expect(await listed(id, { to: at(3) })).toEqual([1, 2, 3]);
      expect(await listed(id, { from: at(3.5), to: at(5.5), order: 'desc' })).toEqual([5, 4]);
      expect(await listed(id, { from: at(3), to: at(9), types: ['agent.thinking'] })).toEqual([
        3, 6, 9,
      ]);
      expect(await listed(id, { from: at(11) })).toEqual([]);
      expect(await listed(id, { to: at(0) })).toEqual([]);
    });

    it('come no more than so many bytes hold, the first whatever it holds', async () => {
      const { id } = await create();
      const text = 'x'.repeat(1_000);
      const records = [1, 2, 3, 4].map((number) => aRecord(id, number, { text }));
      await storeOf().append(id, 1, records);
      expect(await walk(id, { maxBytes: 2_500 })).toEqual([
        [1, 2],
        [3, 4],
      ]);
      expect(await walk(id, { maxBytes: 1, order: 'desc' })).toEqual([[4], [3], [2], [1]]);
    });

    it('come from what is left, when the first have been removed', async () => {
      const id = await createTen();
      // The last turn stays: so the first five are of another.
      const { id: other } = await create();
      const old = someRecords(other, 1, 5).map((record) => ({ ...record, turnId: 'turn_0' }));
      await storeOf().append(other, 1, [...old, ...someRecords(other, 6, 10)]);
      await storeOf().trimEvents(other, { maxEvents: 7 }, 100);
      expect(await listed(other, {})).toEqual([4, 5, 6, 7, 8, 9, 10]);
      expect(await listed(other, { order: 'desc', beyond: 5 })).toEqual([4]);
      expect(await listed(other, { from: AT })).toEqual([4, 5, 6, 7, 8, 9, 10]);
      expect(await listed(id, {})).toHaveLength(10);
    });

    it('are none of a session that nobody knows, or that is another one', async () => {
      await createTen();
      const { id } = await create();
      expect(await listed('sesn_none', {})).toEqual([]);
      expect(await listed(id, { types: ['agent.message'] })).toEqual([]);
    });

    it('are refused in pages of none, or of too many', async () => {
      const id = await createTen();
      for (const limit of [0, 1.5, 10_001]) {
        await expect(storeOf().listEvents(id, { ...all, limit })).rejects.toEqual(
          failsWith('invalid_request'),
        );
      }
    });

    it('are found by the id of their event, within their session', async () => {
      const id = await createTen();
      const { id: other } = await create();
      expect(await storeOf().numberOfEvent(id, 'sevt_7')).toBe(7);
      expect(await storeOf().numberOfEvent(id, 'sevt_77')).toBeUndefined();
      expect(await storeOf().numberOfEvent(other, 'sevt_7')).toBeUndefined();
    });
  });

  describe('the times at which turns were taken up', () => {
    it('are those of the first mark of each, and none for a turn that waits', async () => {
      const { id } = await create();
      const end: EventRecord = {
        ...anEnd(id, 6, 'turn_3'),
        body: {
          id: 'sevt_6',
          type: 'session.error',
          processed_at: AT,
          error: { type: 'unknown_error', message: '', retry_status: { type: 'exhausted' } },
        },
        type: 'session.error',
      };
      const idle: EventRecord = aRecord(id, 7, {
        turnId: 'turn_1',
        body: {
          id: 'sevt_7',
          type: 'session.status_idle',
          processed_at: AT,
          stop_details: null,
          stop_reason: { type: 'end_turn' },
        },
      });
      const records = [
        aPrompt(id, 1, 'turn_1'),
        aPrompt(id, 2, 'turn_2'),
        aPrompt(id, 3, 'turn_3'),
        aDelivery(id, 4, 'turn_1'),
        aRecord(id, 5, { turnId: 'turn_1' }),
        end,
        idle,
      ].map((record) => ({ ...record, at: at(record.number) }));
      await storeOf().append(id, 1, records);
      const times = await storeOf().processedAt(id, ['turn_1', 'turn_2', 'turn_3', 'turn_4']);
      expect(Object.fromEntries(times)).toEqual({ turn_1: at(4), turn_3: at(6) });
      expect([...(await storeOf().processedAt(id, []))]).toEqual([]);
    });

    it('are those of one session', async () => {
      const [{ id }, { id: other }] = [await create(), await create()];
      await storeOf().append(id, 1, [aPrompt(id, 1, 'turn_1'), aDelivery(id, 2, 'turn_1')]);
      expect([...(await storeOf().processedAt(other, ['turn_1']))]).toEqual([]);
    });
  });

  describe('the mark of a request', () => {
    const mark: RequestMark = {
      key: 'key 1',
      digest: 'sha256',
      eventIds: ['sevt_1', 'sevt_2'],
      at: AT,
    };

    it('is there with what it came with, by its key, in its session', async () => {
      const [{ id }, { id: other }] = [await create(), await create()];
      await storeOf().append(id, 1, someRecords(id, 1, 2), {}, mark);
      expect(await storeOf().findRequest(id, 'key 1', AT)).toEqual(mark);
      expect(await storeOf().findRequest(id, 'key 2', AT)).toBeUndefined();
      expect(await storeOf().findRequest(other, 'key 1', AT)).toBeUndefined();
    });

    it('is not there when what it came with was refused', async () => {
      const { id } = await create();
      const refused = storeOf().append(id, 2, someRecords(id, 1, 2), {}, mark);
      await expect(refused).rejects.toEqual(failsWith('session_moved'));
      expect(await storeOf().findRequest(id, 'key 1', AT)).toBeUndefined();
    });

    it('is kept for a day, and gives its key to another request then', async () => {
      const { id } = await create();
      await storeOf().append(id, 1, someRecords(id, 1, 2), {}, mark);
      expect(await storeOf().findRequest(id, 'key 1', after(KEEP_REQUESTS_MS))).toEqual(mark);
      const later = after(KEEP_REQUESTS_MS + 1);
      expect(await storeOf().findRequest(id, 'key 1', later)).toBeUndefined();
      const next = { ...mark, digest: 'other', at: later };
      await storeOf().append(id, 1, someRecords(id, 3, 3), {}, next);
      expect(await storeOf().findRequest(id, 'key 1', later)).toEqual(next);
    });

    it('is forgotten when another one comes after a day, and not before', async () => {
      const { id } = await create();
      const keep = (key: string, moment: string): Promise<void> =>
        storeOf().append(id, 1, [], {}, { ...mark, key, at: moment });
      await keep('old', AT);
      await keep('new', after(KEEP_REQUESTS_MS));
      expect(await storeOf().findRequest(id, 'old', AT)).toBeDefined();
      await keep('newer', after(KEEP_REQUESTS_MS + 1));
      // As if the clock had been set back: it is not there at all.
      expect(await storeOf().findRequest(id, 'old', AT)).toBeUndefined();
      expect(await storeOf().findRequest(id, 'new', after(KEEP_REQUESTS_MS))).toBeDefined();
    });

    it('goes with its session', async () => {
      const session = aSession();
      await storeOf().createSession(session);
      await storeOf().append(session.id, 1, someRecords(session.id, 1, 2), {}, mark);
      await storeOf().deleteSession(session.id);
      await storeOf().createSession(session);
      expect(await storeOf().findRequest(session.id, 'key 1', AT)).toBeUndefined();
    });
  });
}
