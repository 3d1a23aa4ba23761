import { randomUUID } from 'node:crypto';

import type { SeedMessage, TranscriptEntry } from '../../contracts/transcripts.ts';
import { RoundhouseError } from '../../errors.ts';
import { wallClockMs } from '../../time/clock.ts';

/**
 * The only file that knows the form of Claude Code's transcript. It is the CLI's own and documented nowhere: what stands
 * here was measured, and the conformance suite proves it against the real CLI.
 */

/** The CLI whose form this is; it stands in every entry and decides nothing. */
const FORMAT_VERSION = '2.1.330';
const MODEL_OF_SEED = 'claude-seeded-history';
/** Type of the entry that stands for a subagent's side file; the SDK's own name for it. */
const AGENT_METADATA = 'agent_metadata';
const NO_TOKENS = { input_tokens: 0, output_tokens: 0 };

type Block = Readonly<Record<string, unknown>>;

/** Entries that stand for a history, chained in its order. Messages of one role in a row become one. `invalid_request` when it is empty. */
export function seedEntries(
  agentSessionId: string,
  history: readonly SeedMessage[],
): TranscriptEntry[] {
  const messages = merged(history);
  if (messages.length === 0) {
    throw new RoundhouseError('invalid_request', 'A seeded history needs at least one message.');
  }
  const startMs = wallClockMs() - messages.length;
  let parentUuid: string | null = null;
  return messages.map(({ role, content }, index) => {
    const uuid = randomUUID();
    const entry = {
      type: role,
      uuid,
      parentUuid,
      isSidechain: false,
      timestamp: new Date(startMs + index).toISOString(),
      sessionId: agentSessionId,
      cwd: '/',
      version: FORMAT_VERSION,
      userType: 'external',
      entrypoint: 'sdk-ts',
      message: role === 'user' ? { role, content } : assistantMessage(content),
    };
    parentUuid = uuid;
    return entry;
  });
}

function assistantMessage(content: readonly Block[]): Block {
  const calls = content.some((block) => block['type'] === 'tool_use');
  return {
    id: `msg_${randomUUID().replaceAll('-', '')}`,
    type: 'message',
    role: 'assistant',
    model: MODEL_OF_SEED,
    content,
    stop_reason: calls ? 'tool_use' : 'end_turn',
    stop_sequence: null,
    usage: NO_TOKENS,
  };
}

function merged(
  history: readonly SeedMessage[],
): { role: SeedMessage['role']; content: Block[] }[] {
  const messages: { role: SeedMessage['role']; content: Block[] }[] = [];
  for (const { role, content } of history) {
    const blocks = blocksOf(content);
    if (blocks.length === 0) continue;
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else messages.push({ role, content: blocks });
  }
  return messages;
}

/** Blocks of a message's content; texts without a character are left out, because the API refuses them. */
function blocksOf(content: SeedMessage['content']): Block[] {
  const blocks = typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  return blocks.filter((block) => block['type'] !== 'text' || block['text'] !== '');
}

/** Whether an entry is the side file of a subagent, which the CLI keeps beside the transcript and not in it. */
export function isAgentMetadata(entry: TranscriptEntry): boolean {
  return entry.type === AGENT_METADATA;
}

/** The side file's content as the entry that the store keeps. */
export function agentMetadataEntry(content: Block): TranscriptEntry {
  return { ...content, type: AGENT_METADATA };
}

/** The entry as the side file's content, which has no type. */
export function agentMetadataContent(entry: TranscriptEntry): Block {
  return Object.fromEntries(Object.entries(entry).filter(([field]) => field !== 'type'));
}
