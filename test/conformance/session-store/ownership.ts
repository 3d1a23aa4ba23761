import { describe, expect, it } from 'vitest';
import { aPrompt, failsWith, someRecords } from '../session-samples.ts';
import type { StoreStage } from './store-stage.ts';

/** Who may write, and until when. */
export function describeOwnership(stage: StoreStage): void {
  describe('ownership', () => {
    it('raises the epoch with every claim, also of the same owner', async () => {
      const { id } = await stage.create();
      expect(await stage.store.claimSession(id, 'host-2')).toMatchObject({
        owner: 'host-2',
        epoch: 2,
      });
      expect(await stage.store.claimSession(id, 'host-2')).toMatchObject({
        owner: 'host-2',
        epoch: 3,
      });
      expect(await stage.store.getSession(id)).toMatchObject({ owner: 'host-2', epoch: 3 });
    });

    it('has no session to claim that is not there', async () => {
      await expect(stage.store.claimSession('sesn_none', 'host-1')).rejects.toEqual(
        failsWith('session_not_found'),
      );
    });

    it('writes nothing for an owner whose epoch is over', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, someRecords(id, 1, 2));
      await stage.store.claimSession(id, 'host-2');
      const stale = stage.store.append(id, 1, [aPrompt(id, 3, 'turn_2')], { turnCount: 7 });
      await expect(stale).rejects.toEqual(failsWith('session_moved'));
      expect(await stage.store.lastEventNumber(id)).toBe(2);
      expect(await stage.store.readEvents(id, 2, 10)).toEqual([]);
      expect(await stage.store.getSession(id)).toMatchObject({ turnCount: 0 });
      expect(await stage.store.unfinishedTurns()).toEqual([]);
      await stage.store.append(id, 2, someRecords(id, 3, 3));
      expect(await stage.store.lastEventNumber(id)).toBe(3);
    });

    it('refuses an epoch that is not reached yet', async () => {
      const { id } = await stage.create();
      await expect(stage.store.append(id, 2, someRecords(id, 1, 1))).rejects.toEqual(
        failsWith('session_moved'),
      );
    });

    it('checks the epoch of a change without records too', async () => {
      const { id } = await stage.create();
      await stage.store.claimSession(id, 'host-2');
      await expect(stage.store.append(id, 1, [], { turnCount: 1 })).rejects.toEqual(
        failsWith('session_moved'),
      );
      await expect(stage.store.append(id, 1, [])).rejects.toEqual(failsWith('session_moved'));
      await stage.store.append(id, 2, []);
    });
  });
}
