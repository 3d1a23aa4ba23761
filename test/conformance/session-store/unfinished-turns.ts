import { describe, expect, it } from 'vitest';
import { aDelivery, anEnd, aPrompt, aRecord } from '../session-samples.ts';
import type { StoreStage } from './store-stage.ts';

/** Turns that a host has left without an end. */
export function describeUnfinishedTurns(stage: StoreStage): void {
  describe('unfinished turns', () => {
    it('is a turn whose prompt was kept, with its session and its prompt', async () => {
      const { id } = await stage.create();
      const prompt = aPrompt(id, 2, 'turn_1');
      await stage.store.append(id, 1, [aRecord(id, 1, { turnId: null }), prompt], { turnCount: 1 });
      const session = await stage.store.getSession(id);
      expect(await stage.store.unfinishedTurns()).toEqual([{ session, prompt, delivered: false }]);
    });

    it('says whether the prompt was marked delivered', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, [aPrompt(id, 1, 'turn_1')]);
      await stage.store.append(id, 1, [aDelivery(id, 2, 'turn_1')]);
      expect(await stage.unfinished()).toEqual([{ turnId: 'turn_1', delivered: true }]);
    });

    it('keeps what its agent is given until that is delivered, and no reader ever has it', async () => {
      const { id } = await stage.create();
      const prompts = [aPrompt(id, 1, 'turn_1'), aPrompt(id, 2, 'turn_2')];
      const given = { given: [{ type: 'text' as const, text: 'the 文件 itself' }] };
      await stage.store.append(
        id,
        1,
        prompts.map((prompt) => ({ ...prompt, ...given })),
      );
      await stage.store.append(id, 1, [aDelivery(id, 3, 'turn_1')]);
      await stage.reopen();
      expect(await stage.store.givenContent(id, 'turn_1')).toBeUndefined();
      expect(await stage.store.givenContent(id, 'turn_2')).toEqual(given.given);
      expect(await stage.store.givenContent(id, 'turn_3')).toBeUndefined();
      expect(await stage.store.givenContent('sesn_other', 'turn_2')).toBeUndefined();
      expect((await stage.store.unfinishedTurns()).map(({ prompt }) => prompt)).toEqual(prompts);
      expect(await stage.store.readEvents(id, 0, 2)).toEqual(prompts);
      expect(await stage.store.readEvents(id, 0, 2, 1_000_000)).toEqual(prompts);
      const query = { order: 'asc', limit: 2, maxBytes: 1_000_000 } as const;
      expect((await stage.store.listEvents(id, query)).records).toEqual(prompts);
      expect(JSON.stringify(await stage.store.readEvents(id, 0, 10))).not.toContain('given');
      await stage.store.append(id, 1, [anEnd(id, 4, 'turn_2')]);
      expect(await stage.store.givenContent(id, 'turn_2')).toBeUndefined();
    });

    it('is none any more once the turn has its end', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, [aPrompt(id, 1, 'turn_1'), aDelivery(id, 2, 'turn_1')]);
      await stage.store.append(id, 1, [anEnd(id, 3, 'turn_1')]);
      expect(await stage.unfinished()).toEqual([]);
    });

    it('is none when the turn was withdrawn before it was delivered', async () => {
      const { id } = await stage.create();
      await stage.store.append(id, 1, [aPrompt(id, 1, 'turn_1'), anEnd(id, 2, 'turn_1')]);
      expect(await stage.unfinished()).toEqual([]);
    });

    it('begins with a prompt only: a user message without prompt options begins none', async () => {
      const { id } = await stage.create();
      const note = { ...aPrompt(id, 1, 'turn_1'), detail: {} };
      await stage.store.append(id, 1, [note, aDelivery(id, 2, 'turn_2')]);
      expect(await stage.unfinished()).toEqual([]);
    });

    it('comes in the order in which the turns began, over all sessions', async () => {
      const a = await stage.create();
      const b = await stage.create();
      await stage.store.append(b.id, 1, [aPrompt(b.id, 1, 'turn_b1')]);
      await stage.store.append(a.id, 1, [aPrompt(a.id, 1, 'turn_a1'), aPrompt(a.id, 2, 'turn_a2')]);
      await stage.store.append(b.id, 1, [
        aPrompt(b.id, 2, 'turn_b2'),
        aDelivery(b.id, 3, 'turn_b1'),
      ]);
      expect(await stage.unfinished()).toEqual([
        { turnId: 'turn_b1', delivered: true },
        { turnId: 'turn_a1', delivered: false },
        { turnId: 'turn_a2', delivered: false },
        { turnId: 'turn_b2', delivered: false },
      ]);
      await stage.store.append(a.id, 1, [anEnd(a.id, 3, 'turn_a1')]);
      await stage.store.append(a.id, 1, [aPrompt(a.id, 4, 'turn_a3')]);
      expect((await stage.unfinished()).map(({ turnId }) => turnId)).toEqual([
        'turn_b1',
        'turn_a2',
        'turn_b2',
        'turn_a3',
      ]);
    });

    it('keeps turns of one id in two sessions apart', async () => {
      const a = await stage.create();
      const b = await stage.create();
      for (const { id } of [a, b]) await stage.store.append(id, 1, [aPrompt(id, 1, 'turn_1')]);
      await stage.store.append(a.id, 1, [anEnd(a.id, 2, 'turn_1')]);
      expect((await stage.store.unfinishedTurns()).map(({ session }) => session.id)).toEqual([
        b.id,
      ]);
    });
  });
}
