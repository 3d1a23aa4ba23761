import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import type { TranscriptEntry } from '../../contracts/transcripts.ts';
import { MemoryTranscriptStore } from '../../store/memory/memory-transcript-store.ts';
import {
  importLocalTranscript,
  readLocalTranscript,
  writeLocalTranscript,
} from './local-transcript.ts';
import { deferredCallEntry, withOpenCalls } from './transcript.ts';

const ID = '0b6a2f1c-0000-4000-8000-000000000001';

function call(id: string, messageId = 'msg_1'): TranscriptEntry {
  const content = [{ type: 'tool_use', id, name: 'Write', input: { file: id } }];
  return { type: 'assistant', uuid: `call-${id}`, message: { id: messageId, content } };
}

function result(id: string): TranscriptEntry {
  const content = [{ type: 'tool_result', tool_use_id: id, content: 'x' }];
  return { type: 'user', uuid: `result-${id}`, message: { content } };
}

const prompt: TranscriptEntry = { type: 'user', uuid: 'p', message: { content: 'do it' } };
const answer: TranscriptEntry = {
  type: 'assistant',
  uuid: 'answer',
  message: { id: 'msg_2', content: [{ type: 'text', text: 'done' }] },
};
const notice: TranscriptEntry = { type: 'system', uuid: 'n' };

function openIn(entries: TranscriptEntry[], neverHanded: string[] = []) {
  const found = withOpenCalls(entries, neverHanded);
  return {
    open: found.open.map(({ toolUseId }) => toolUseId),
    kept: found.entries.map(({ uuid }) => uuid),
  };
}

test('open are the calls of the last message without a result, however many entries it has', () => {
  const before = [prompt, call('z', 'msg_0'), result('z')];
  expect(openIn([...before, call('a'), result('a'), notice, call('b')])).toEqual({
    open: ['b'],
    kept: ['p', 'call-z', 'result-z', 'call-a', 'result-a', 'n', 'call-b'],
  });
  expect(openIn([...before, call('a'), call('b'), result('b'), notice]).kept.at(-1)).toBe(
    'result-b',
  );
  expect(openIn([...before, answer]).open).toEqual([]);
});

test('what an agent without a host made up for calls that nobody answered is left out, its answer included', () => {
  const made = [prompt, call('a'), call('b'), result('a'), result('b'), notice, answer];
  expect(openIn(made, ['a', 'b'])).toEqual({ open: ['a', 'b'], kept: ['p', 'call-a', 'call-b'] });
  expect(openIn(made, ['b'])).toEqual({ open: ['b'], kept: ['p', 'call-a', 'call-b', 'result-a'] });
});

test('a call that was put off for one start is in no other: it would be carried out again', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rh-open-calls-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const store = new MemoryTranscriptStore(() => {});
  const key = { agentSessionId: ID, subpath: '' };
  await store.append(key, [prompt, call('a')]);
  const off = deferredCallEntry(
    ID,
    { toolUseId: 'a', toolName: 'Write', input: {} },
    await store.load(key),
  );
  expect(off['parentUuid']).toBe('call-a');
  await writeLocalTranscript(folder, ID, store, [off]);
  expect((await readLocalTranscript(folder, ID)).get('')).toHaveLength(3);
  await importLocalTranscript(folder, ID, store);
  expect(await store.load(key)).toHaveLength(2);

  await store.append(key, [off]);
  await rm(folder, { recursive: true });
  await writeLocalTranscript(folder, ID, store);
  const local = (await readLocalTranscript(folder, ID)).get('') ?? [];
  expect(local.map(({ uuid }) => uuid)).toEqual(['p', 'call-a']);
  expect(withOpenCalls(await store.load(key), []).entries).toHaveLength(2);
});
