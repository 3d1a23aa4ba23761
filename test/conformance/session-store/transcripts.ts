import { describe, expect, it } from 'vitest';
import type { SessionStore } from '../../../src/contracts/session-store.ts';
import type { TranscriptPage } from '../../../src/contracts/transcripts.ts';
import { anEntry, failsWith } from '../session-samples.ts';

const main = { agentSessionId: '0b0e7e54-0000-4000-8000-000000000001', subpath: '' };

/** What the transcripts of every store must do; a part of `describeSessionStore`. */
export function describeTranscripts(store: () => SessionStore): void {
  const transcripts = (): SessionStore['transcripts'] => store().transcripts;

  describe('transcripts', () => {
    it('is empty when it was never written', async () => {
      expect(await transcripts().load(main)).toEqual([]);
      expect(await transcripts().listSubpaths(main.agentSessionId)).toEqual([]);
    });

    it('comes back in the order of its appends, equal in depth', async () => {
      const entries = Array.from({ length: 130 }, (_, index) => anEntry(`u-${index}`, `${index}`));
      await transcripts().append(main, entries.slice(0, 100));
      await transcripts().append(main, []);
      await transcripts().append(main, entries.slice(100));
      expect(await transcripts().load(main)).toStrictEqual(entries);
    });

    it('is read in pages, bounded in entries and in bytes, of which none is empty', async () => {
      const texts = ['a', 'b', 'c'.repeat(5_000), 'd', 'e', 'f'];
      const entries = texts.map((text, index) => anEntry(`u-${index}`, text));
      await transcripts().append(main, entries.slice(0, 4));
      // What was there already leaves no hole.
      await transcripts().append(main, entries);
      await transcripts().append({ ...main, subpath: 'sub' }, [anEntry('other', 'other')]);
      const walk = async (limit: number, maxBytes: number): Promise<number[]> => {
        const all: unknown[] = [];
        const sizes: number[] = [];
        for (let after: number | null = 0; after !== null;) {
          const page: TranscriptPage = await transcripts().read(main, { after, limit, maxBytes });
          all.push(...page.entries);
          sizes.push(page.entries.length);
          after = page.next;
        }
        expect(all).toEqual(entries);
        return sizes;
      };
      expect(await walk(10, 1_000_000)).toEqual([6]);
      expect(await walk(6, 1_000_000)).toEqual([6]);
      expect(await walk(4, 1_000_000)).toEqual([4, 2]);
      expect(await walk(10, 1_000)).toEqual([2, 1, 3]);
      expect(await walk(10, 1)).toEqual([1, 1, 1, 1, 1, 1]);
      const unknown = { agentSessionId: 'unknown', subpath: '' };
      const nothing = { entries: [], next: null };
      expect(await transcripts().read(unknown, { after: 0, limit: 5, maxBytes: 1 })).toEqual(
        nothing,
      );
    });

    it('skips an entry whose uuid is there already, within an append and between appends', async () => {
      await transcripts().append(main, [anEntry('a', '1'), anEntry('b', '2'), anEntry('a', '3')]);
      await transcripts().append(main, [anEntry('b', '4'), anEntry('c', '5'), anEntry('a', '6')]);
      const expected = [anEntry('a', '1'), anEntry('b', '2'), anEntry('c', '5')];
      expect(await transcripts().load(main)).toEqual(expected);
    });

    it('adds an entry without uuid every time', async () => {
      await transcripts().append(main, [anEntry(undefined, '1'), anEntry(undefined, '1')]);
      await transcripts().append(main, [anEntry(undefined, '1'), anEntry('a', '2')]);
      expect(await transcripts().load(main)).toHaveLength(4);
    });

    it('keeps subpaths and conversations apart, uuids too, and lists the subpaths sorted', async () => {
      const sub = { ...main, subpath: 'subagents/agent-b' };
      const other = { agentSessionId: 'other', subpath: '' };
      await transcripts().append(sub, [anEntry('a', 'sub')]);
      await transcripts().append({ ...main, subpath: 'subagents/agent-A' }, [anEntry('a', 'A')]);
      await transcripts().append({ ...main, subpath: 'é' }, [anEntry('a', 'é')]);
      await transcripts().append(main, [anEntry('a', 'main')]);
      await transcripts().append(other, [anEntry('a', 'other')]);
      expect(await transcripts().listSubpaths(main.agentSessionId)).toEqual([
        '',
        'subagents/agent-A',
        'subagents/agent-b',
        'é',
      ]);
      expect(await transcripts().load(sub)).toEqual([anEntry('a', 'sub')]);
      expect(await transcripts().load(main)).toEqual([anEntry('a', 'main')]);
      expect(await transcripts().listSubpaths('other')).toEqual(['']);
    });

    it('replaces a transcript and nothing beside it', async () => {
      const sub = { ...main, subpath: 'sub' };
      await transcripts().append(main, [anEntry('a', '1'), anEntry('b', '2')]);
      await transcripts().append(sub, [anEntry('a', 'sub')]);
      await transcripts().replace(main, [anEntry('c', '3'), anEntry('a', '4'), anEntry('c', '5')]);
      expect(await transcripts().load(main)).toEqual([anEntry('c', '3'), anEntry('a', '4')]);
      expect(await transcripts().load(sub)).toEqual([anEntry('a', 'sub')]);
      await transcripts().append(main, [anEntry('b', '6')]);
      expect(await transcripts().load(main)).toHaveLength(3);
      await transcripts().replace(main, []);
      expect(await transcripts().load(main)).toEqual([]);
      expect(await transcripts().listSubpaths(main.agentSessionId)).toEqual(['sub']);
    });

    it('replaces nothing when an entry can not be kept', async () => {
      await transcripts().append(main, [anEntry('a', '1')]);
      const cyclic: Record<string, unknown> = {};
      cyclic['self'] = cyclic;
      const broken = { type: 'user', uuid: 'b', cyclic };
      await expect(transcripts().replace(main, [anEntry('c', '2'), broken])).rejects.toEqual(
        failsWith('storage_failed'),
      );
      await expect(transcripts().append(main, [anEntry('c', '2'), broken])).rejects.toEqual(
        failsWith('storage_failed'),
      );
      expect(await transcripts().load(main)).toEqual([anEntry('a', '1')]);
      await transcripts().append(main, [anEntry('b', '3'), anEntry('c', '4')]);
      expect(await transcripts().load(main)).toHaveLength(3);
    });

    it('keeps large and strange entries, 10,000 of them too', async () => {
      const strange = anEntry('big', `${'y'.repeat(1024 * 1024)} 漢字 👩‍🚒 \u0000 \ud800`);
      await transcripts().append(main, [strange]);
      const many = Array.from({ length: 10_000 }, (_, index) => anEntry(`m-${index}`, 'text'));
      await transcripts().append(main, many);
      expect(await transcripts().load(main)).toEqual([strange, ...many]);
    });

    it('gives copies of its entries, and keeps copies', async () => {
      const entry = { type: 'user', uuid: 'a', message: { text: 'before' } };
      await transcripts().append(main, [entry]);
      entry.message.text = 'after';
      const [read] = await transcripts().load(main);
      Object.assign(read ?? {}, { type: 'changed' });
      expect(await transcripts().load(main)).toEqual([
        { type: 'user', uuid: 'a', message: { text: 'before' } },
      ]);
    });
  });
}
