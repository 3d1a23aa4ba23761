import type { SDKMessage } from '@anthropic-ai/claude-agent-sdk';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';

import type { TranscriptEntry } from '../../contracts/transcripts.ts';
import { MemoryTranscriptStore } from '../../store/memory/memory-transcript-store.ts';
import { NO_TELEMETRY } from '../../telemetry/telemetry.ts';
import { toUserMessage } from './prompt-content.ts';
import { TranscriptMirror } from './transcript-mirror.ts';
import { TurnTranscript } from './turn-transcript.ts';

const ID = randomUUID();
const KEY = { agentSessionId: ID, subpath: '' };

function open() {
  const store = new MemoryTranscriptStore(() => {});
  const mirror = new TranscriptMirror(ID, store, NO_TELEMETRY.log);
  const transcript = new TurnTranscript(ID, mirror);
  const begin = (): string => {
    const promptId = randomUUID();
    transcript.begin(toUserMessage({ promptId, content: [{ type: 'text', text: 'hi' }] }));
    return promptId;
  };
  /** What the agent hands on of its own accord. */
  const handOn = (...entries: TranscriptEntry[]): Promise<void> =>
    mirror.append({ projectKey: 'p', sessionId: ID }, [...entries]);
  return { store, transcript, begin, handOn };
}

function said(uuid: string, fields: object = {}): SDKMessage {
  const message = { model: 'claude', role: 'assistant', content: [{ type: 'text', text: 'yes' }] };
  const all = { type: 'assistant', uuid, parent_tool_use_id: null, message, ...fields };
  return JSON.parse(JSON.stringify(all));
}

async function chainOf(store: MemoryTranscriptStore): Promise<unknown[]> {
  return (await store.load(KEY)).map(({ uuid, parentUuid }) => [uuid, parentUuid]);
}

test('a turn that was handed on whole lacks nothing', async () => {
  const { transcript, begin, handOn } = open();
  const prompt = begin();
  transcript.note(said('a1'));
  expect(transcript.lacks).toBe(true);
  await handOn(
    { type: 'user', uuid: prompt },
    { type: 'attachment', uuid: 't' },
    { type: 'assistant', uuid: 'a1' },
  );
  expect(transcript.lacks).toBe(false);
});

test('what subagents say, and what the agent says of errors, is not expected', async () => {
  const { transcript, begin, handOn } = open();
  const prompt = begin();
  transcript.note(said('sub', { parent_tool_use_id: 'toolu_1' }));
  transcript.note(said('error', { message: { model: '<synthetic>', content: [] } }));
  await handOn({ type: 'user', uuid: prompt });
  expect(transcript.lacks).toBe(false);
});

test('a repaired turn stays in the chain when its entries are handed on late and the next turn lacks some too', async () => {
  const { store, transcript, begin, handOn } = open();
  const first = begin();
  await handOn({ type: 'user', uuid: first, parentUuid: null });
  transcript.note(said('a1'));
  expect(await transcript.complete()).toBe(1);
  const second = begin();
  await handOn({ type: 'assistant', uuid: 'a1', parentUuid: first });
  transcript.note(said('a2'));
  expect(await transcript.complete()).toBe(2);
  expect(await chainOf(store)).toEqual([
    [first, null],
    ['a1', first],
    [second, 'a1'],
    ['a2', second],
  ]);
});
