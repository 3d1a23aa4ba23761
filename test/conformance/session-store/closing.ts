import { describe, expect, it } from 'vitest';
import { aDelivery, anEnd, aPrompt, aRecord, failsWith, someRecords } from '../session-samples.ts';
import type { StoreStage } from './store-stage.ts';

/** The end of a store, and what the next one finds. */
export function describeClosing(stage: StoreStage): void {
  describe('closing', () => {
    it('finishes what was asked for before it, and may be asked for twice', async () => {
      const { id } = await stage.create();
      const append = stage.store.append(id, 1, someRecords(id, 1, 200));
      await Promise.all([stage.store.close(), stage.store.close()]);
      await expect(append).resolves.toBeUndefined();
      await stage.store.close();
    });

    it('refuses every call after it', async () => {
      const { id } = await stage.create();
      await stage.store.close();
      const closed = failsWith('storage_failed');
      await expect(stage.store.getSession(id)).rejects.toEqual(closed);
      await expect(stage.store.append(id, 1, [])).rejects.toEqual(closed);
      await expect(stage.store.unfinishedTurns()).rejects.toEqual(closed);
      const key = { agentSessionId: 'x', subpath: '' };
      await expect(stage.store.transcripts.load(key)).rejects.toEqual(closed);
      await expect(stage.store.transcripts.append(key, [{ type: 'user' }])).rejects.toEqual(closed);
    });

    it('keeps everything for the next opening', async ({ skip }) => {
      skip(!stage.keeps, 'What is in memory ends with the process.');
      const row = await stage.create({ name: 'demo' });
      const key = { agentSessionId: row.agentSessionId, subpath: 'sub' };
      const records = [aPrompt(row.id, 1, 'turn_1'), aDelivery(row.id, 2, 'turn_1')];
      await stage.store.append(row.id, 1, records, { turnCount: 1, limits: { startMs: 5_000 } });
      await stage.store.transcripts.append(key, [{ type: 'user', uuid: 'a' }]);
      await stage.store.claimSession(row.id, 'host-2');
      const before = await stage.store.getSession(row.id);

      await stage.reopen();

      expect(await stage.store.findSession('key-a', 'demo')).toEqual(before);
      expect(await stage.store.readEvents(row.id, 0, 10)).toEqual(records);
      expect(await stage.store.unfinishedTurns()).toEqual([
        { session: before, prompt: records[0], delivered: true },
      ]);
      expect(await stage.store.transcripts.load(key)).toEqual([{ type: 'user', uuid: 'a' }]);
      await expect(stage.store.append(row.id, 1, [aRecord(row.id, 3)])).rejects.toEqual(
        failsWith('session_moved'),
      );
      await stage.store.append(row.id, 2, [anEnd(row.id, 3, 'turn_1')]);
      expect(await stage.store.unfinishedTurns()).toEqual([]);
    });
  });
}
