import { describe, expect, it } from 'vitest';
import type { SessionRow, SessionStore } from '../../../src/contracts/session-store.ts';
import { RoundhouseError } from '../../../src/errors.ts';
import type { EventRecord } from '../../../src/events/record.ts';
import {
  aDelivery,
  anEnd,
  anEntry,
  aPrompt,
  aRecord,
  aSession,
  failsWith,
  someRecords,
} from '../session-samples.ts';

const nothing = async (): Promise<void> => {};

/** What forking in every store must do; a part of `describeSessionStore`. */
export function describeSessionFork(store: () => SessionStore): void {
  /** A session with those records. */
  const withRecords = async (records: (id: string) => EventRecord[]): Promise<SessionRow> => {
    const row = await store().createSession(aSession());
    await store().append(row.id, row.epoch, records(row.id));
    return row;
  };
  const fork = (sessionId: string, upto: number, over = {}): Promise<SessionRow> =>
    store().forkSession(aSession(over), { sessionId, upto }, nothing);
  /** The numbers that the records of a session had where they were copied from. */
  const copied = async (id: string): Promise<string[]> =>
    (await store().readEvents(id, 0, 10_000)).map(({ body }) => body.id);

  describe('forking', () => {
    it('copies the records up to a number, under numbers from 1, and leaves the other as it is', async () => {
      const source = await withRecords((id) => [
        aPrompt(id, 1, 'turn_1'),
        aDelivery(id, 2, 'turn_1'),
        anEnd(id, 3, 'turn_1'),
        aPrompt(id, 4, 'turn_2'),
        aDelivery(id, 5, 'turn_2'),
        anEnd(id, 6, 'turn_2'),
      ]);
      const before = await store().readEvents(source.id, 0, 100);
      const session = aSession();
      const row = await store().forkSession(session, { sessionId: source.id, upto: 3 }, nothing);
      expect(row).toEqual(await store().getSession(session.id));
      expect(row).toMatchObject({ epoch: 1, turnCount: 0, agentSessionId: session.agentSessionId });
      expect(await store().readEvents(row.id, 0, 100)).toEqual(
        before.slice(0, 3).map((record) => ({ ...record, sessionId: row.id })),
      );
      expect(await store().lastEventNumber(row.id)).toBe(3);
      expect(await store().readEvents(source.id, 0, 100)).toEqual(before);
      expect(await store().numberOfEvent(row.id, 'sevt_2')).toBe(2);

      await store().append(row.id, row.epoch, [aRecord(row.id, 4)]);
      await store().append(source.id, source.epoch, [aRecord(source.id, 7)]);
      expect(await store().lastEventNumber(row.id)).toBe(4);
      expect(await store().lastEventNumber(source.id)).toBe(7);
    });

    it('leaves out what goes on behind the number, or waits, with all its records', async () => {
      const source = await withRecords((id) => [
        aPrompt(id, 1, 'turn_1'),
        aDelivery(id, 2, 'turn_1'),
        aPrompt(id, 3, 'turn_2'),
        aPrompt(id, 4, 'turn_3'),
        aRecord(id, 5, { turnId: null }),
        anEnd(id, 6, 'turn_1'),
        aDelivery(id, 7, 'turn_2'),
        anEnd(id, 8, 'turn_2'),
        aRecord(id, 9, { turnId: null }),
      ]);
      expect(await copied((await fork(source.id, 7)).id)).toEqual([
        'sevt_1',
        'sevt_2',
        'sevt_5',
        'sevt_6',
      ]);
      expect(await copied((await fork(source.id, 5)).id)).toEqual(['sevt_5']);
      const whole = await fork(source.id, 8);
      expect(await copied(whole.id)).toEqual([
        'sevt_1',
        'sevt_2',
        'sevt_3',
        'sevt_5',
        'sevt_6',
        'sevt_7',
        'sevt_8',
      ]);
      const numbers = (await store().readEvents(whole.id, 0, 100)).map(({ number }) => number);
      expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7]);
      const open = (await store().unfinishedTurns()).map(({ session }) => session.id);
      expect(open).toEqual([source.id]);
    });

    it('takes what is still there of a session that was trimmed', async () => {
      const source = await withRecords((id) => [
        ...someRecords(id, 1, 5),
        aPrompt(id, 6, 'turn_2'),
        anEnd(id, 7, 'turn_2'),
      ]);
      await store().trimEvents(source.id, { maxEvents: 4 }, 100);
      const row = await fork(source.id, 7);
      expect(await copied(row.id)).toEqual(['sevt_4', 'sevt_5', 'sevt_6', 'sevt_7']);
      // What it holds counts for its own bounds.
      await store().trimEvents(row.id, { maxBytes: 1 }, 100);
      expect(await copied(row.id)).toEqual(['sevt_6', 'sevt_7']);
    });

    it('forks a fork, and outlives both', async () => {
      const source = await withRecords((id) =>
        [1, 2, 3].map((number) => aRecord(id, number, { turnId: `turn_${number}` })),
      );
      const first = await fork(source.id, 2);
      const second = await fork(first.id, 1);
      await store().deleteSession(source.id);
      await store().deleteSession(first.id);
      expect(await copied(second.id)).toEqual(['sevt_1']);
    });

    it('begins empty where nothing had ended yet', async () => {
      const source = await withRecords((id) => [aPrompt(id, 1, 'turn_1')]);
      const row = await fork(source.id, 1);
      expect(await copied(row.id)).toEqual([]);
      expect(await store().lastEventNumber(row.id)).toBe(0);
      await store().append(row.id, row.epoch, [aRecord(row.id, 1)]);
    });

    it('is found by nobody before all that belongs to it is there', async () => {
      const source = await withRecords((id) => someRecords(id, 1, 3));
      const session = aSession({ tenant: 'key-forks' });
      const row = await store().forkSession(
        session,
        { sessionId: source.id, upto: 3 },
        async () => {
          expect(await store().getSession(session.id)).toBeUndefined();
          expect(await store().findSession(session.tenant, session.name)).toBeUndefined();
          const all = (await store().listSessions({ limit: 100 })).sessions.map(({ id }) => id);
          expect(all).toEqual([source.id]);
          expect(await store().countSessions(session.tenant)).toBe(0);
          const claimed = store().claimSession(session.id, 'host-2');
          await expect(claimed).rejects.toEqual(failsWith('session_not_found'));
          const written = store().append(session.id, 1, [aRecord(session.id, 1)]);
          await expect(written).rejects.toEqual(failsWith('session_not_found'));
          await store().deleteSession(session.id);
          expect(await store().lastEventNumber(session.id)).toBe(0);
        },
      );
      expect(await store().countSessions(session.tenant)).toBe(1);
      expect(await copied(row.id)).toEqual(['sevt_1', 'sevt_2', 'sevt_3']);
    });

    it('leaves nothing, and the name free, when what belongs to it can not be made', async () => {
      const source = await withRecords((id) => someRecords(id, 1, 3));
      const session = aSession();
      const { agentSessionId } = session;
      const keys = ['', 'subagents/agent-1'].map((subpath) => ({ agentSessionId, subpath }));
      const failed = store().forkSession(session, { sessionId: source.id, upto: 3 }, async () => {
        for (const key of keys) await store().transcripts.append(key, [anEntry('u', 'line')]);
        throw new RoundhouseError('session_limit_reached', 'no room');
      });
      await expect(failed).rejects.toThrow('no room');
      expect(await store().transcripts.listSubpaths(agentSessionId)).toEqual([]);
      expect(await store().getSession(session.id)).toBeUndefined();
      expect(await copied(session.id)).toEqual([]);
      await store().createSession(session);
    });

    it('leaves nothing when the other one is deleted meanwhile, and takes what is left when it is trimmed', async () => {
      const source = await withRecords((id) => [...someRecords(id, 1, 3), anEnd(id, 4, 'turn_2')]);
      const from = { sessionId: source.id, upto: 4 };
      const trimmed = await store().forkSession(aSession(), from, async () => {
        await store().trimEvents(source.id, { maxEvents: 1 }, 100);
      });
      expect(await copied(trimmed.id)).toEqual(['sevt_4']);
      const session = aSession();
      const orphan = store().forkSession(session, from, () => store().deleteSession(source.id));
      await expect(orphan).rejects.toEqual(failsWith('session_not_found'));
      expect(await store().getSession(session.id)).toBeUndefined();
    });

    it('makes nothing of an unknown session, or under a name that is taken', async () => {
      const session = aSession();
      const unknown = store().forkSession(session, { sessionId: 'sesn_none', upto: 1 }, nothing);
      await expect(unknown).rejects.toEqual(failsWith('session_not_found'));
      expect(await store().getSession(session.id)).toBeUndefined();
      const source = await withRecords((id) => someRecords(id, 1, 1));
      const taken = fork(source.id, 1, { name: source.name, tenant: source.tenant });
      await expect(taken).rejects.toEqual(failsWith('session_busy'));
    });
  });
}
