import { describe, expect, it } from 'vitest';
import type { EventRecord } from '../../../src/events/record.ts';
import { anEnd, aRecord, at, failsWith, someRecords, turnOf } from '../session-samples.ts';
import type { StoreStage } from './store-stage.ts';

/** What of the records goes, and what stays. */
export function describeTrimming(stage: StoreStage): void {
  describe('trimming', () => {
    it('trims the oldest events beyond a number; numbers never begin again', async () => {
      const { id } = await stage.create();
      for (const turn of [0, 1, 2, 3])
        await stage.store.append(id, 1, turnOf(id, 3 * turn + 1, `turn_${turn}`));
      expect(await stage.store.trimEvents(id, { maxEvents: 5 }, 100)).toEqual({
        removed: 7,
        more: false,
      });
      expect(await stage.keptNumbers(id)).toEqual([8, 9, 10, 11, 12]);
      expect((await stage.store.readEvents(id, 3, 2)).map(({ number }) => number)).toEqual([8, 9]);
      expect(await stage.store.trimEvents(id, { maxEvents: 5 }, 100)).toEqual({
        removed: 0,
        more: false,
      });
      expect(await stage.store.lastEventNumber(id)).toBe(12);
      await stage.store.append(id, 1, [aRecord(id, 13, { turnId: null })]);
      await stage.reopen();
      expect(await stage.keptNumbers(id)).toEqual([8, 9, 10, 11, 12, 13]);
      expect(await stage.store.lastEventNumber(id)).toBe(13);
    });

    it('keeps the last turn and the last record, whatever is asked', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')]);
      await stage.store.append(id, 1, [aRecord(id, 7, { turnId: null })]);
      expect(await stage.store.trimEvents(id, { maxEvents: 1 }, 100)).toMatchObject({ removed: 3 });
      expect(await stage.keptNumbers(id)).toEqual([4, 5, 6, 7]);
      const { id: bare } = await stage.create();
      await stage.store.append(
        bare,
        1,
        [1, 2, 3].map((n) => aRecord(bare, n, { turnId: null })),
      );
      const future = { maxEvents: 1, maxBytes: 0, notBefore: '2999-01-01T00:00:00.000Z' };
      await stage.store.trimEvents(bare, future, 100);
      expect(await stage.keptNumbers(bare)).toEqual([3]);
    });

    it('keeps what belongs to a turn without an end, and its prompt', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, turnOf(id, 1, 'turn_1'));
      await stage.store.append(id, 1, turnOf(id, 4, 'turn_2', false));
      await stage.store.append(id, 1, turnOf(id, 7, 'turn_3'));
      await stage.store.trimEvents(id, { maxEvents: 1 }, 100);
      expect(await stage.keptNumbers(id)).toEqual([4, 5, 6, 7, 8, 9]);
      expect(await stage.unfinished()).toEqual([{ turnId: 'turn_2', delivered: false }]);
      await stage.store.append(id, 1, [anEnd(id, 10, 'turn_2')]);
      await stage.store.append(id, 1, turnOf(id, 11, 'turn_4'));
      await stage.store.trimEvents(id, { maxEvents: 1 }, 100);
      expect(await stage.keptNumbers(id)).toEqual([11, 12, 13]);
    });

    it('trims by size, of the UTF-8 of bodies and details', async () => {
      const { id } = await stage.create();
      const records = [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')].map((record) =>
        record.number === 2
          ? aRecord(id, 2, { turnId: 'turn_1', text: '💥ü'.repeat(100) })
          : record,
      );
      await stage.store.append(id, 1, records);
      await stage.store.trimEvents(id, { maxBytes: sizeOf(records) }, 100);
      expect(await stage.keptNumbers(id)).toHaveLength(6);
      await stage.store.trimEvents(id, { maxBytes: sizeOf(records) - 1 }, 100);
      expect(await stage.keptNumbers(id)).toHaveLength(5);
      await stage.store.trimEvents(id, { maxBytes: sizeOf(records.slice(2)) }, 100);
      expect(await stage.keptNumbers(id)).toHaveLength(4);
      await stage.store.trimEvents(id, { maxBytes: sizeOf(records.slice(2)) - 1 }, 100);
      expect(await stage.keptNumbers(id)).toEqual([4, 5, 6]);
    });

    it('trims by age up to the first event that is young enough', async () => {
      const { id } = await stage.create();
      // The wall clock went back once: what stands behind a young event stays with it.
      const seconds = [0, 1, 5, 2, 9, 9, 9];
      const records = [
        ...turnOf(id, 1, 'turn_1'),
        aRecord(id, 4, { turnId: null }),
        ...turnOf(id, 5, 'turn_2'),
      ].map((record, index) => ({ ...record, at: at(seconds[index] ?? 0) }));
      await stage.store.append(id, 1, records);
      await stage.store.trimEvents(id, { notBefore: at(0) }, 100);
      expect(await stage.keptNumbers(id)).toHaveLength(7);
      await stage.store.trimEvents(id, { notBefore: at(3) }, 100);
      expect(await stage.keptNumbers(id)).toEqual([3, 4, 5, 6, 7]);
      await stage.store.trimEvents(id, { notBefore: at(9) }, 100);
      expect(await stage.keptNumbers(id)).toEqual([5, 6, 7]);
    });

    it('trims a bounded number in one call, and says when there is more', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, someRecords(id, 1, 9));
      await stage.store.append(id, 1, turnOf(id, 10, 'turn_2'));
      const results = [];
      for (let call = 0; call < 4; call += 1)
        results.push(await stage.store.trimEvents(id, { maxEvents: 3 }, 4));
      expect(results).toEqual([
        { removed: 4, more: true },
        { removed: 4, more: true },
        { removed: 1, more: false },
        { removed: 0, more: false },
      ]);
      expect(await stage.keptNumbers(id)).toEqual([10, 11, 12]);
    });

    it('counts once what two calls at a time remove', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')]);
      const trim = () => stage.store.trimEvents(id, { maxEvents: 3 }, 100);
      const removed = (await Promise.all([trim(), trim()])).map((result) => result.removed);
      expect(removed.toSorted((a, b) => a - b)).toEqual([0, 3]);
      await stage.store.append(id, 1, turnOf(id, 7, 'turn_3'));
      expect(await stage.store.trimEvents(id, { maxBytes: 1 }, 100)).toMatchObject({ removed: 3 });
      expect(await stage.keptNumbers(id)).toEqual([7, 8, 9]);
    });

    it('trims nothing without a bound, and nothing of a session that is not there', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, [...turnOf(id, 1, 'turn_1'), ...turnOf(id, 4, 'turn_2')]);
      const nothing = { removed: 0, more: false };
      expect(await stage.store.trimEvents(id, {}, 100)).toEqual(nothing);
      expect(await stage.store.trimEvents('sesn_none', { maxEvents: 1 }, 100)).toEqual(nothing);
      await expect(stage.store.trimEvents(id, {}, 0)).rejects.toEqual(failsWith('invalid_request'));
    });
  });
}

function sizeOf(records: readonly EventRecord[]): number {
  return records.reduce(
    (sum, { body, detail }) =>
      sum + Buffer.byteLength(JSON.stringify(body) + JSON.stringify(detail)),
    0,
  );
}
