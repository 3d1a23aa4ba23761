import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  TranscriptEntry,
  TranscriptKey,
  TranscriptPage,
  TranscriptStore,
} from '../../contracts/transcripts.ts';
import {
  importLocalTranscript,
  readLocalTranscript,
  writeLocalTranscript,
} from './local-transcript.ts';
import { mergedEntries } from './transcript-merge.ts';
import { relinked, seedEntries, turnEntries, type TranscriptMessage } from './transcript.ts';

const ID = '0b6a2f1c-0000-4000-8000-000000000001';

/** The smallest store that keeps the contract's promises. */
class TestTranscripts implements TranscriptStore {
  readonly kept = new Map<string, TranscriptEntry[]>();

  async append({ subpath }: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void> {
    this.kept.set(subpath, [...(this.kept.get(subpath) ?? []), ...entries]);
  }
  async load({ subpath }: TranscriptKey): Promise<TranscriptEntry[]> {
    return this.kept.get(subpath) ?? [];
  }
  async read({ subpath }: TranscriptKey): Promise<TranscriptPage> {
    return { entries: this.kept.get(subpath) ?? [], next: null };
  }
  async listSubpaths(): Promise<string[]> {
    return [...this.kept.keys()].toSorted();
  }
  async replace({ subpath }: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void> {
    this.kept.set(subpath, [...entries]);
  }
}

describe('a history as a transcript', () => {
  test('is a chain in its order', () => {
    const entries = seedEntries(ID, [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
    ]);
    expect(entries.map((entry) => entry.type)).toEqual(['user', 'assistant', 'user']);
    expect(entries.map((entry) => entry['parentUuid'])).toEqual([
      null,
      entries[0]?.uuid,
      entries[1]?.uuid,
    ]);
  });

  test('joins messages of one role in a row, and leaves empty ones out', () => {
    const entries = seedEntries(ID, [
      { role: 'user', content: 'a' },
      { role: 'user', content: [{ type: 'text', text: 'b' }] },
      { role: 'assistant', content: '' },
      { role: 'user', content: 'c' },
    ]);
    expect(entries).toHaveLength(1);
    expect(entries[0]).toHaveProperty('message.content', [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
      { type: 'text', text: 'c' },
    ]);
  });

  test('says that a message with a tool call stopped for it', () => {
    const [entry] = seedEntries(ID, [
      { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'Bash', input: {} }] },
    ]);
    expect(entry).toHaveProperty('message.stop_reason', 'tool_use');
  });

  test('is refused when there is nothing in it', () => {
    expect(() => seedEntries(ID, [])).toThrow(/at least one message/);
  });
});

describe('entries that a process can take up', () => {
  test('hang behind the one before them when their parent is not there', () => {
    const entries = [
      { type: 'user', uuid: 'u1', parentUuid: null },
      { type: 'last-prompt' },
      { type: 'assistant', uuid: 'a1', parentUuid: 'lost' },
      { type: 'user', uuid: 'u2', parentUuid: 'a1' },
    ];
    expect(relinked(entries).map((entry) => entry['parentUuid'])).toEqual([
      null,
      undefined,
      'u1',
      'a1',
    ]);
    expect(entries[2]?.parentUuid).toBe('lost');
  });

  test('begin the conversation when nothing stands before them', () => {
    expect(relinked([{ type: 'user', uuid: 'u1', parentUuid: 'lost' }])).toEqual([
      { type: 'user', uuid: 'u1', parentUuid: null },
    ]);
  });
});

/** A name with a dot is the agent's own bookkeeping, which has no uuid and may stand there twice. */
function entriesOf(names: string): TranscriptEntry[] {
  return names
    .split(' ')
    .map((name) => (name.startsWith('.') ? { type: name } : { type: 'x', uuid: name }));
}

function merged(stored: string, own: string): string {
  const entries = mergedEntries(stored === '' ? [] : entriesOf(stored), entriesOf(own));
  return entries.map(({ uuid, type }) => uuid ?? type).join(' ');
}

describe('a merged transcript', () => {
  test.each([
    ['', 'a b', 'a b'],
    ['a', 'a b c', 'a b c'],
    ['a d', 'a b c', 'a b c d'],
    ['x b', 'a b', 'x a b'],
    ['x', 'a b', 'x a b'],
    ['c b a', 'a b c d', 'c d b a'],
    ['.mode a b', '.mode a b .mode c d', '.mode a b c d'],
  ])('of %j and %j is %j', (stored, own, expected) => {
    expect(merged(stored, own)).toBe(expected);
  });
});

function shown(uuid: string, role: 'user' | 'assistant'): TranscriptMessage {
  return { uuid, role, message: { role, content: uuid } };
}

describe('the entries of a turn', () => {
  const turn = [shown('u2', 'user'), shown('a2', 'assistant')];
  const before = { type: 'assistant', uuid: 'a1', parentUuid: 'u1' };
  const chain = (stored: TranscriptEntry[], ofTurn: string[]): unknown[] =>
    turnEntries(ID, stored, turn, new Set(ofTurn)).map(({ uuid, parentUuid }) => [
      uuid,
      parentUuid,
    ]);

  test('hang behind what was there before the turn when none of them is stored', () => {
    const aside = { type: 'user', uuid: 'side', parentUuid: null, isSidechain: true };
    expect(chain([before, aside], [])).toEqual([
      ['u2', 'a1'],
      ['a2', 'u2'],
    ]);
    expect(chain([], [])).toEqual([
      ['u2', null],
      ['a2', 'u2'],
    ]);
  });

  test('hang behind what the agent has put behind the prompt', () => {
    const stored = [
      before,
      { type: 'user', uuid: 'u2', parentUuid: 'a1' },
      { type: 'attachment', uuid: 't1', parentUuid: 'u2' },
      { type: 'attachment', uuid: 't2', parentUuid: 't1' },
    ];
    expect(chain(stored, ['u2', 't1', 't2'])).toEqual([
      ['u2', 'a1'],
      ['t1', 'u2'],
      ['t2', 't1'],
      ['a2', 't2'],
    ]);
  });

  test('never hang behind what comes after them, so that no circle is made', () => {
    const stored = [before, { type: 'assistant', uuid: 'a2', parentUuid: 'u2' }];
    expect(chain(stored, ['a2'])).toEqual([
      ['u2', 'a1'],
      ['a2', 'u2'],
    ]);
  });

  test('carry the message as it was shown', () => {
    const [entry] = turnEntries(ID, [], turn, new Set());
    expect(entry).toMatchObject({ type: 'user', message: { role: 'user', content: 'u2' } });
  });
});

describe('the local files of a transcript', () => {
  let folder: string;
  let store: TestTranscripts;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'roundhouse-transcript-'));
    store = new TestTranscripts();
  });
  afterEach(() => rm(folder, { recursive: true }));

  const main = [
    { type: 'user', uuid: 'u1' },
    { type: 'assistant', uuid: 'a1' },
  ];
  const subagent = [
    { type: 'agent_metadata', agentType: 'old' },
    { type: 'user', uuid: 'su1' },
    { type: 'agent_metadata', agentType: 'new' },
  ];

  test('are written and read back, subagents and their side files included', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, main);
    await store.append({ agentSessionId: ID, subpath: 'subagents/agent-1' }, subagent);
    expect(await writeLocalTranscript(folder, ID, store)).toBe(2);
    const read = await readLocalTranscript(folder, ID);
    expect(read.get('')).toEqual(main);
    expect(read.get('subagents/agent-1')).toEqual([
      { type: 'user', uuid: 'su1' },
      { type: 'agent_metadata', agentType: 'new' },
    ]);
  });

  test('are not written for a conversation that the store does not know', async () => {
    expect(await writeLocalTranscript(folder, ID, store)).toBe(0);
    expect(await readLocalTranscript(folder, ID)).toEqual(new Map());
  });

  test('never leave their folder', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, main);
    await store.append({ agentSessionId: ID, subpath: '../../../escape' }, main);
    await expect(writeLocalTranscript(folder, ID, store)).rejects.toThrow(/leaves its folder/);
  });

  test('add what the store lacks, each entry at its place, and take nothing away', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, main);
    await writeLocalTranscript(folder, ID, store);
    store.kept.set('', [
      { type: 'user', uuid: 'u1' },
      { type: 'user', uuid: 'later' },
    ]);
    expect(await importLocalTranscript(folder, ID, store)).toBe(1);
    expect(store.kept.get('')?.map(({ uuid }) => uuid)).toEqual(['u1', 'a1', 'later']);
  });

  test('add nothing a second time, side files of subagents included', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, [...main, { type: 'mode', mode: 'x' }]);
    await store.append({ agentSessionId: ID, subpath: 'subagents/agent-1' }, subagent);
    await writeLocalTranscript(folder, ID, store);
    expect(await importLocalTranscript(folder, ID, store)).toBe(0);
    expect(store.kept.get('subagents/agent-1')).toEqual(subagent);
    store.kept.clear();
    expect(await importLocalTranscript(folder, ID, store)).toBe(5);
    expect(await importLocalTranscript(folder, ID, store)).toBe(0);
  });

  test('may end in the middle of a line', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, main);
    await writeLocalTranscript(folder, ID, store);
    const file = join(folder, 'config', 'projects', 'session', `${ID}.jsonl`);
    await appendFile(file, '{"type":"user","uu');
    expect((await readLocalTranscript(folder, ID)).get('')).toEqual(main);
  });
});
