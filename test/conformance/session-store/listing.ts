import { describe, expect, it } from 'vitest';
import type { SessionRow } from '../../../src/contracts/session-store.ts';
import { AT, failsWith } from '../session-samples.ts';
import type { StoreStage } from './store-stage.ts';

/** Sessions as they are listed. */
export function describeListing(stage: StoreStage): void {
  /** Makes `count` sessions, a second apart, of two tenants and both kinds; their ids, newest first. */
  const createMany = async (count: number): Promise<string[]> => {
    const ids: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const createdAt = new Date(Date.parse(AT) + index * 1000).toISOString();
      const kind = index % 3 === 0 ? 'one_shot' : 'named';
      const tenant = index % 2 === 0 ? 'key-a' : 'key-b';
      ids.push((await stage.create({ createdAt, kind, tenant })).id);
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
      const page = await stage.store.listSessions({
        ...query,
        ...(after !== undefined && { after }),
      });
      expect(page.sessions.length).toBeLessThanOrEqual(query.limit);
      ids.push(...page.sessions.map(({ id }) => id));
      after = page.next ?? undefined;
    } while (after !== undefined);
    return ids;
  };

  describe('listing', () => {
    it('says that an empty listing has no next page', async () => {
      expect(await stage.store.listSessions({ limit: 1 })).toEqual({ sessions: [], next: null });
    });

    it('gives every session once, newest first, whatever the size of a page', async () => {
      const ids = await createMany(10);
      for (const limit of [1, 3, 5, 10, 1000]) expect(await walk({ limit })).toEqual(ids);
    });

    it('gives no next page when the last one is just full', async () => {
      await createMany(4);
      const first = await stage.store.listSessions({ limit: 2 });
      const second = await stage.store.listSessions({ limit: 2, after: first.next ?? '' });
      expect(second.next).toBeNull();
    });

    it('gives sessions of one moment once each', async () => {
      const ids = await Promise.all(
        Array.from({ length: 7 }, async () => (await stage.create({ createdAt: AT })).id),
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
      expect(await stage.store.countSessions('key-a')).toBe(0);
      const [newest = ''] = await createMany(8);
      const ofA = await walk({ tenant: 'key-a', kind: 'named', limit: 100 });
      expect(await stage.store.countSessions('key-a')).toBe(ofA.length);
      expect(await stage.store.countSessions('key-b')).toBe(3);
      await stage.store.deleteSession(newest);
      expect(await stage.store.countSessions('key-b')).toBe(2);
    });

    it('goes on at the same place when sessions come and go between two pages', async () => {
      const ids = await createMany(6);
      const first = await stage.store.listSessions({ limit: 3 });
      await stage.store.deleteSession(ids[2] ?? '');
      await stage.create({ createdAt: '2027-01-01T00:00:00.000Z' });
      const second = await stage.store.listSessions({ limit: 3, after: first.next ?? '' });
      expect(second.sessions.map(({ id }) => id)).toEqual(ids.slice(3));
    });

    it.each(['', 'nonsense', '{"a":1}', Buffer.from('["x"]').toString('base64url')])(
      'refuses the cursor %j',
      async (after) => {
        await expect(stage.store.listSessions({ limit: 1, after })).rejects.toEqual(
          failsWith('invalid_request'),
        );
      },
    );

    it.each([0, -1, 1.5, 1001, Number.NaN])('refuses the limit %d', async (limit) => {
      await expect(stage.store.listSessions({ limit })).rejects.toEqual(
        failsWith('invalid_request'),
      );
    });
  });
}
