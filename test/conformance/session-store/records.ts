import { describe, expect, it } from 'vitest';
import { NO_USAGE } from '../../../src/events/record.ts';
import {
  aDelivery,
  anEnd,
  aPrompt,
  aRecord,
  AT,
  failsWith,
  someRecords,
} from '../session-samples.ts';
import type { StoreStage } from './store-stage.ts';

/** Records, and the row that changes with them. */
export function describeRecords(stage: StoreStage): void {
  describe('events', () => {
    it('gives back what was appended, equal in depth', async () => {
      const { id } = await stage.create();
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
      await stage.store.append(id, 1, records);
      expect(await stage.store.readEvents(id, 0, 10)).toStrictEqual(records);
    });

    it('reads from a number, in order, up to a limit', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, someRecords(id, 1, 120));
      await stage.store.append(id, 1, someRecords(id, 121, 130));
      const numbers = async (after: number, limit: number) =>
        (await stage.store.readEvents(id, after, limit)).map(({ number }) => number);
      expect(await numbers(0, 3)).toEqual([1, 2, 3]);
      expect(await numbers(119, 3)).toEqual([120, 121, 122]);
      expect(await numbers(128, 10_000)).toEqual([129, 130]);
      expect(await numbers(130, 5)).toEqual([]);
      expect(await numbers(999, 5)).toEqual([]);
      expect(await numbers(0, 10_000)).toHaveLength(130);
      expect(await stage.store.lastEventNumber(id)).toBe(130);
    });

    it('reads no more than so many bytes of bodies and details, but always one record', async () => {
      const { id } = await stage.create();
      // Texts of which the characters are fewer than the bytes.
      const records = [1, 2, 3, 4].map((number) =>
        aRecord(id, number, { text: 'ä'.repeat(number === 3 ? 5_000 : 1_000) }),
      );
      await stage.store.append(id, 1, records);
      const sizes = records.map(({ body, detail }) =>
        Buffer.byteLength(JSON.stringify(body) + JSON.stringify(detail)),
      );
      const [first = 0, second = 0] = sizes;
      const numbers = async (after: number, limit: number, maxBytes: number) =>
        (await stage.store.readEvents(id, after, limit, maxBytes)).map(({ number }) => number);
      expect(await numbers(0, 10, 1)).toEqual([1]);
      expect(await numbers(0, 10, first + second - 1)).toEqual([1]);
      expect(await numbers(0, 10, first + second)).toEqual([1, 2]);
      // No later one that would fit comes past one that does not.
      expect(await numbers(1, 10, second + 2_500)).toEqual([2]);
      expect(await numbers(2, 10, 1)).toEqual([3]);
      expect(await numbers(0, 3, 1_000_000)).toEqual([1, 2, 3]);
      expect(await numbers(4, 10, 1)).toEqual([]);
    });

    it.each([0, -1, 0.5, 10_001])('refuses to read %d records', async (limit) => {
      const { id } = await stage.create();
      await expect(stage.store.readEvents(id, 0, limit)).rejects.toEqual(
        failsWith('invalid_request'),
      );
    });

    it.each([
      ['a gap to the last record', [4]],
      ['a number that is there already', [2]],
      ['a gap among the records', [3, 5]],
      ['two records of one number', [3, 3]],
      ['records in the wrong order', [4, 3]],
    ])('refuses %s, and keeps nothing of the append', async (_what, numbers) => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, someRecords(id, 1, 2));
      const records = numbers.map((number) => aRecord(id, number, { text: 'refused' }));
      await expect(stage.store.append(id, 1, records, { turnCount: 3 })).rejects.toEqual(
        failsWith('storage_failed'),
      );
      expect(await stage.store.readEvents(id, 0, 10)).toEqual(someRecords(id, 1, 2));
      expect(await stage.store.lastEventNumber(id)).toBe(2);
      expect(await stage.store.getSession(id)).toMatchObject({ turnCount: 0 });
    });

    it('refuses a first record that is not number 1', async () => {
      const { id } = await stage.create();
      await expect(stage.store.append(id, 1, someRecords(id, 2, 3))).rejects.toEqual(
        failsWith('storage_failed'),
      );
      await expect(stage.store.append(id, 1, someRecords(id, 0, 1))).rejects.toEqual(
        failsWith('storage_failed'),
      );
    });

    it('refuses a record of another session', async () => {
      const { id } = await stage.create();
      const other = await stage.create();
      await expect(stage.store.append(id, 1, [aRecord(other.id, 1)])).rejects.toEqual(
        failsWith('storage_failed'),
      );
    });

    it('has no session to append to that is not there', async () => {
      await expect(stage.store.append('sesn_none', 1, [aRecord('sesn_none', 1)])).rejects.toEqual(
        failsWith('session_not_found'),
      );
    });

    it('changes the row together with the records, and only what the patch names', async () => {
      const row = await stage.create();
      const usage = { ...NO_USAGE, inputTokens: 12, costUsd: 0.125 };
      await stage.store.append(row.id, 1, someRecords(row.id, 1, 1), {
        options: { tools: [] },
        limits: { turnMs: 5_000 },
        staleTranscriptFolder: '/data/p1',
        usage,
        turnCount: 1,
        activeMs: 5_000_000_000,
        archivedAt: '2026-05-06T00:00:00.000Z',
        lastActiveAt: '2026-05-05T00:00:00.000Z',
      });
      const changed = await stage.store.getSession(row.id);
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
      await stage.store.append(row.id, 1, [], { staleTranscriptFolder: null });
      expect(await stage.store.getSession(row.id)).toEqual({
        ...changed,
        staleTranscriptFolder: null,
      });
    });

    it('keeps large and strange text as it was', async () => {
      const { id } = await stage.create();
      const texts = [
        'x'.repeat(1024 * 1024),
        'π — 漢字 — 👩‍👩‍👧 — \u0000\u0001\u001f — \u2028 — "\\\n\r\t',
        '\ud83d lone surrogate \udc00',
        '',
      ];
      await stage.store.append(
        id,
        1,
        texts.map((text, index) => aRecord(id, index + 1, { text })),
      );
      const read = await stage.store.readEvents(id, 0, 10);
      expect(read).toStrictEqual(texts.map((text, index) => aRecord(id, index + 1, { text })));
    });

    it('gives copies of its records, and keeps copies', async () => {
      const { id } = await stage.create();
      const record = aRecord(id, 1, { detail: { usage: { ...NO_USAGE } } });
      await stage.store.append(id, 1, [record]);
      Object.assign(record.detail, { model: 'changed' });
      const [read] = await stage.store.readEvents(id, 0, 1);
      Object.assign(read?.body ?? {}, { id: 'changed' });
      expect(await stage.store.readEvents(id, 0, 1)).toEqual([
        aRecord(id, 1, { detail: { usage: NO_USAGE } }),
      ]);
    });

    it('keeps the order of appends that nobody waited for, on many sessions at once', async () => {
      const sessions = await Promise.all(Array.from({ length: 25 }, () => stage.create()));
      const appends: Promise<void>[] = [];
      for (let number = 1; number <= 20; number += 1) {
        for (const { id } of sessions) {
          appends.push(
            stage.store.append(id, 1, [aRecord(id, number, { text: `${id} ${number}` })], {
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
        expect(await stage.store.readEvents(id, 0, 100)).toEqual(expected);
        expect(await stage.store.getSession(id)).toMatchObject({ turnCount: 20 });
      }
    });

    it('lets exactly one of two appends with one number win', async () => {
      const { id } = await stage.create();
      const outcomes = await Promise.allSettled([
        stage.store.append(id, 1, [aRecord(id, 1, { text: 'a' })]),
        stage.store.append(id, 1, [aRecord(id, 1, { text: 'b' })]),
      ]);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await stage.store.lastEventNumber(id)).toBe(1);
    });
  });
}
