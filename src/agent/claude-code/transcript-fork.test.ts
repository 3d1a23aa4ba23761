import { expect, test } from 'vitest';
import { MemoryTranscriptStore } from '../../store/memory/memory-transcript-store.ts';
import { letOthersRun } from '../../time/timers.ts';
import { forkTranscripts } from './transcript-fork.ts';

const FROM = { agentSessionId: 'from', subpath: '' };
const TO = { agentSessionId: 'to', subpath: '' };

/** A store with a conversation of so many entries. */
async function conversation(count: number): Promise<MemoryTranscriptStore> {
  const transcripts = new MemoryTranscriptStore(() => {});
  const entries = Array.from({ length: count }, (_, index) => ({
    type: 'user',
    uuid: `uuid-${index}`,
    sessionId: 'from',
  }));
  await transcripts.append(FROM, entries);
  return transcripts;
}

test('a long conversation is written in steps, between which others run', async () => {
  const transcripts = await conversation(1_030);
  const seen = [0];
  const state = { done: false };
  const fork = forkTranscripts({ from: 'from', to: 'to', before: [] }, transcripts).finally(() => {
    state.done = true;
  });
  while (!state.done) {
    await letOthersRun();
    seen.push((await transcripts.load(TO)).length);
  }
  await fork;
  const steps = seen.slice(1).map((length, index) => length - (seen[index] ?? 0));
  expect(Math.max(...steps)).toBe(250);
  const originals = await transcripts.load(FROM);
  expect(await transcripts.load(TO)).toEqual(
    originals.map((entry) => ({ ...entry, sessionId: 'to' })),
  );
});

test('a fork before everything has nothing, also where more was written before', async () => {
  const transcripts = await conversation(300);
  await forkTranscripts({ from: 'from', to: 'to', before: [] }, transcripts);
  await forkTranscripts({ from: 'from', to: 'to', before: ['uuid-0'] }, transcripts);
  expect(await transcripts.load(TO)).toEqual([]);
});

test('a subagent that was called behind the point does not come along, nor stays from an attempt before', async () => {
  const transcripts = await conversation(2);
  const subpath = 'subagents/agent-1';
  const call = { type: 'tool_use', id: 'toolu_1', name: 'Agent', input: {} };
  await transcripts.append(FROM, [
    { type: 'user', uuid: 'later' },
    { type: 'assistant', uuid: 'calls', message: { role: 'assistant', content: [call] } },
  ]);
  await transcripts.append({ ...FROM, subpath }, [
    { type: 'agent_metadata', toolUseId: 'toolu_1' },
    { type: 'user', uuid: 'sub-1' },
  ]);
  await forkTranscripts({ from: 'from', to: 'to', before: [] }, transcripts);
  expect(await transcripts.listSubpaths('to')).toEqual(['', subpath]);
  await forkTranscripts({ from: 'from', to: 'to', before: ['later'] }, transcripts);
  expect(await transcripts.load({ ...TO, subpath })).toEqual([]);
  expect(await transcripts.load(TO)).toHaveLength(2);
});
