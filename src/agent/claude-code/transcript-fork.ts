import type { TranscriptFork } from '../../contracts/agent-driver.ts';
import type {
  TranscriptEntry,
  TranscriptKey,
  TranscriptStore,
} from '../../contracts/transcripts.ts';
import { letOthersRun } from '../../time/timers.ts';
import { conversationBefore, ofConversation, subagentOf, toolCallsIn } from './transcript.ts';

/** Entries that are written at once: the event loop stands still meanwhile. */
const ENTRIES_PER_STEP = 250;

/** Writes the part of a conversation that a fork has, with the subagents that were called in it. */
export async function forkTranscripts(
  { from, to, before }: TranscriptFork,
  transcripts: TranscriptStore,
): Promise<void> {
  const main = await transcripts.load({ agentSessionId: from, subpath: '' });
  const kept = conversationBefore(main, new Set(before));
  await write({ agentSessionId: to, subpath: '' }, kept, transcripts);
  // An attempt before may have come further: prompts that were taken up meanwhile, and what they called.
  for (const subpath of await transcripts.listSubpaths(to)) {
    if (subpath !== '') await transcripts.replace({ agentSessionId: to, subpath }, []);
  }

  const calls = toolCallsIn(kept);
  const subpaths = await transcripts.listSubpaths(from);
  const left = new Set(subpaths.filter((subpath) => subpath !== ''));
  // Subagents call subagents: each round finds those that were called in what the one before has found.
  for (let found = true; found;) {
    found = false;
    for (const subpath of left) {
      const entries = await transcripts.load({ agentSessionId: from, subpath });
      const call = subagentOf(entries);
      if (call === undefined || !calls.has(call)) continue;
      await write({ agentSessionId: to, subpath }, entries, transcripts);
      for (const id of toolCallsIn(entries)) calls.add(id);
      left.delete(subpath);
      found = true;
    }
  }
}

/** In steps, between which others run: nobody looks at a fork before all of it is there. */
async function write(
  key: TranscriptKey,
  entries: readonly TranscriptEntry[],
  transcripts: TranscriptStore,
): Promise<void> {
  const step = (from: number): TranscriptEntry[] =>
    entries
      .slice(from, from + ENTRIES_PER_STEP)
      .map((entry) => ofConversation(entry, key.agentSessionId));
  await transcripts.replace(key, step(0));
  for (let from = ENTRIES_PER_STEP; from < entries.length; from += ENTRIES_PER_STEP) {
    await letOthersRun();
    await transcripts.append(key, step(from));
  }
}
