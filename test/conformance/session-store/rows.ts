import { describe, expect, it } from 'vitest';
import { NO_USAGE } from '../../../src/events/record.ts';
import { aPrompt, aRecord, aSession, failsWith, someRecords } from '../session-samples.ts';
import type { StoreStage } from './store-stage.ts';

/** Sessions as rows, and what goes with one that is deleted. */
export function describeRows(stage: StoreStage): void {
  describe('sessions', () => {
    it('tells which folders hold what transcripts lack', async () => {
      const { store } = stage;
      const [one, other] = [await stage.create(), await stage.create()];
      expect(await store.staleTranscriptFolders()).toEqual([]);
      await store.append(one.id, 1, [], { staleTranscriptFolder: '/p/1' });
      await store.append(other.id, 1, [], { staleTranscriptFolder: '/p/2' });
      expect((await store.staleTranscriptFolders()).toSorted()).toEqual(['/p/1', '/p/2']);
      await store.append(one.id, 1, [], { staleTranscriptFolder: null });
      expect(await store.staleTranscriptFolders()).toEqual(['/p/2']);
    });

    it('gives a created session back in full, by id and by name', async () => {
      const session = aSession({ kind: 'one_shot', ownsWorkspace: false });
      const row = await stage.store.createSession(session);
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
      expect(await stage.store.getSession(row.id)).toEqual(row);
      expect(await stage.store.findSession(row.tenant, row.name)).toEqual(row);
    });

    it('knows no session that was not created', async () => {
      expect(await stage.store.getSession('sesn_none')).toBeUndefined();
      expect(await stage.store.findSession('key-a', 'none')).toBeUndefined();
      expect(await stage.store.lastEventNumber('sesn_none')).toBe(0);
      expect(await stage.store.readEvents('sesn_none', 0, 10)).toEqual([]);
    });

    it('refuses a second session of one name as busy, and keeps the first', async () => {
      const first = await stage.create({ name: 'demo' });
      await expect(stage.create({ name: 'demo' })).rejects.toEqual(failsWith('session_busy'));
      expect(await stage.store.findSession('key-a', 'demo')).toEqual(first);
    });

    it('refuses a second session of one id', async () => {
      const first = await stage.create();
      await expect(stage.create({ id: first.id })).rejects.toEqual(failsWith('storage_failed'));
      expect(await stage.store.getSession(first.id)).toEqual(first);
    });

    it('lets exactly one of many creators of one name win', async () => {
      const attempts = Array.from({ length: 20 }, () => stage.create({ name: 'demo' }));
      const outcomes = await Promise.allSettled(attempts);
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(refusals.map(({ reason }): unknown => reason)).toEqual(
        Array.from({ length: 19 }, () => failsWith('session_busy')),
      );
    });

    it('keeps the names of tenants apart', async () => {
      const a = await stage.create({ tenant: 'key-a', name: 'demo' });
      const b = await stage.create({ tenant: 'key-b', name: 'demo' });
      expect((await stage.store.findSession('key-a', 'demo'))?.id).toBe(a.id);
      expect((await stage.store.findSession('key-b', 'demo'))?.id).toBe(b.id);
      expect(await stage.store.findSession('key-c', 'demo')).toBeUndefined();
      expect((await stage.store.listSessions({ tenant: 'key-b', limit: 10 })).sessions).toEqual([
        b,
      ]);
    });

    it('takes a name as it is: no wildcard, no quote, no difference of case is lost', async () => {
      const names = ['demo', 'Demo', 'demo ', '%', "d'emo", 'ďemo', '👩‍🚒', 'a"b\\c'];
      for (const each of names) await stage.create({ name: each });
      for (const each of names)
        expect((await stage.store.findSession('key-a', each))?.name).toBe(each);
      expect(await stage.store.findSession('key-a', 'DEMO')).toBeUndefined();
    });

    it('gives copies: changing one changes nothing that is kept', async () => {
      const options = { model: 'before', tools: ['Read'] };
      const row = await stage.create({ options });
      options.model = 'after';
      options.tools.push('Write');
      Object.assign(row.options, { model: 'changed' });
      Object.assign(row, { epoch: 99 });
      const kept = await stage.store.getSession(row.id);
      expect(kept).toMatchObject({ epoch: 1, options: { model: 'before', tools: ['Read'] } });
    });
  });

  describe('deleting', () => {
    it('takes the events, the open turns, the transcripts and the name with the session', async () => {
      const row = await stage.create({ name: 'demo' });
      const key = { agentSessionId: row.agentSessionId, subpath: '' };
      const entry = { type: 'user', uuid: 'a' };
      await stage.store.append(row.id, 1, [aPrompt(row.id, 1, 'turn_1')]);
      await stage.store.transcripts.append(key, [entry]);
      await stage.store.transcripts.append({ ...key, subpath: 'sub' }, [entry]);
      const beside = await stage.create();
      const besideKey = { agentSessionId: beside.agentSessionId, subpath: '' };
      await stage.store.append(beside.id, 1, someRecords(beside.id, 1, 2));
      await stage.store.transcripts.append(besideKey, [entry]);

      await stage.store.deleteSession(row.id);

      expect(await stage.store.getSession(row.id)).toBeUndefined();
      expect(await stage.store.findSession('key-a', 'demo')).toBeUndefined();
      expect(await stage.store.readEvents(row.id, 0, 10)).toEqual([]);
      expect(await stage.store.lastEventNumber(row.id)).toBe(0);
      expect(await stage.store.unfinishedTurns()).toEqual([]);
      expect(await stage.store.transcripts.load(key)).toEqual([]);
      expect(await stage.store.transcripts.listSubpaths(row.agentSessionId)).toEqual([]);
      await expect(stage.store.append(row.id, 1, [aRecord(row.id, 2)])).rejects.toEqual(
        failsWith('session_not_found'),
      );
      expect(await stage.store.lastEventNumber(beside.id)).toBe(2);
      expect(await stage.store.transcripts.load(besideKey)).toEqual([entry]);

      const again = await stage.store.createSession(aSession({ ...row, id: row.id, name: 'demo' }));
      expect(again.epoch).toBe(1);
      await stage.store.append(row.id, 1, someRecords(row.id, 1, 1));
    });

    it('does nothing for a session that is not there', async () => {
      await expect(stage.store.deleteSession('sesn_none')).resolves.toBeUndefined();
      const { id } = await stage.create();
      await stage.store.deleteSession(id);
      await expect(stage.store.deleteSession(id)).resolves.toBeUndefined();
    });
  });
}
