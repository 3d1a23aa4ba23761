import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type {
  TranscriptEntry,
  TranscriptKey,
  TranscriptStore,
} from '../../contracts/transcripts.ts';
import {
  completeFromLocalTranscript,
  readLocalTranscript,
  rescueLocalTranscript,
  writeLocalTranscript,
} from './local-transcript.ts';
import { seedEntries } from './transcript.ts';

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

  test('take the place of what the store has when they are rescued', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, main);
    await writeLocalTranscript(folder, ID, store);
    store.kept.set('', [{ type: 'assistant', uuid: 'a1' }]);
    await rescueLocalTranscript(folder, ID, store);
    expect(store.kept.get('')).toEqual(main);
  });

  test('add what the store lacks, and take nothing away', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, main);
    await writeLocalTranscript(folder, ID, store);
    store.kept.set('', [
      { type: 'user', uuid: 'u1' },
      { type: 'user', uuid: 'later' },
    ]);
    expect(await completeFromLocalTranscript(folder, ID, store)).toBe(1);
    expect(store.kept.get('')?.map(({ uuid }) => uuid)).toEqual(['u1', 'later', 'a1']);
  });

  test('may end in the middle of a line', async () => {
    await store.append({ agentSessionId: ID, subpath: '' }, main);
    await writeLocalTranscript(folder, ID, store);
    const file = join(folder, 'config', 'projects', 'session', `${ID}.jsonl`);
    await appendFile(file, '{"type":"user","uu');
    expect((await readLocalTranscript(folder, ID)).get('')).toEqual(main);
  });
});
