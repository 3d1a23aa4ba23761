import { randomUUID } from 'node:crypto';

import type { OpenCall } from '../../contracts/agent-driver.ts';
import type { SeedMessage, TranscriptEntry } from '../../contracts/transcripts.ts';
import { RoundhouseError } from '../../errors.ts';
import { wallClockMs } from '../../time/clock.ts';
import { isRecord } from './unknown.ts';

/**
 * The only file that knows the form of Claude Code's transcript. It is the CLI's own and documented nowhere: what stands
 * here was measured, and the conformance suite proves it against the real CLI.
 */

/** The CLI whose form this is; it stands in every entry and decides nothing. */
const FORMAT_VERSION = '2.1.330';
const MODEL_OF_SEED = 'claude-seeded-history';
/** Type of the entry that stands for a subagent's side file; the SDK's own name for it. */
const AGENT_METADATA = 'agent_metadata';
/** Type of the attachment with which the CLI notes a call that a hook has put off. */
const DEFERRED_CALL = 'hook_deferred_tool';
const NO_TOKENS = { input_tokens: 0, output_tokens: 0 };

type Block = Readonly<Record<string, unknown>>;

/** A message of a conversation, as the entry that stands for it is made of it. */
export interface TranscriptMessage {
  readonly uuid: string;
  readonly role: SeedMessage['role'];
  /** A message of the Messages API. */
  readonly message: unknown;
}

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
    const message = role === 'user' ? { role, content } : assistantMessage(content);
    const entry = entryOf(agentSessionId, { uuid, role, message }, parentUuid, startMs + index);
    parentUuid = uuid;
    return entry;
  });
}

function entryOf(
  agentSessionId: string,
  { uuid, role, message }: TranscriptMessage,
  parentUuid: string | null,
  atMs: number,
): TranscriptEntry {
  return {
    type: role,
    uuid,
    parentUuid,
    isSidechain: false,
    timestamp: new Date(atMs).toISOString(),
    sessionId: agentSessionId,
    cwd: '/',
    version: FORMAT_VERSION,
    userType: 'external',
    entrypoint: 'sdk-ts',
    message,
  };
}

/**
 * The entries of one turn of the main transcript, in their order: those that are stored, and for those that are not one
 * made of what the turn has shown. `ofTurn` holds the uuids of all entries that the agent has handed on in the turn.
 */
export function turnEntries(
  agentSessionId: string,
  stored: readonly TranscriptEntry[],
  messages: readonly TranscriptMessage[],
  ofTurn: ReadonlySet<string>,
): TranscriptEntry[] {
  const shown = new Set(messages.map(({ uuid }) => uuid));
  const byUuid = new Map(stored.map((entry) => [entry.uuid, entry]));
  const isBefore = ({ uuid, isSidechain }: TranscriptEntry): boolean =>
    uuid !== undefined && isSidechain !== true && !ofTurn.has(uuid) && !shown.has(uuid);
  let last = stored.findLast(isBefore)?.uuid ?? null;
  const atMs = wallClockMs();
  const entries: TranscriptEntry[] = [];
  for (const message of messages) {
    entries.push(byUuid.get(message.uuid) ?? entryOf(agentSessionId, message, last, atMs));
    last = message.uuid;
    // What the agent tells the model beside the messages (the date, what has changed) hangs behind one of them.
    for (let next = child(); next !== undefined; next = child()) {
      entries.push(next);
      last = next.uuid ?? last;
    }
  }
  return entries;

  function child(): TranscriptEntry | undefined {
    return stored.find(
      ({ uuid, parentUuid }) =>
        parentUuid === last && uuid !== undefined && ofTurn.has(uuid) && !shown.has(uuid),
    );
  }
}

/**
 * Entries as a process can take them up: one whose parent is not there hangs behind the entry before it. The CLI follows
 * parents from the last entry back. It bridges such gaps by rules of its own, which nobody promises; without any, a single
 * entry that is missing would hide all before it.
 */
export function relinked(entries: readonly TranscriptEntry[]): TranscriptEntry[] {
  const known = new Set(entries.map(({ uuid }) => uuid));
  let before: string | null = null;
  return entries.map((entry) => {
    const { uuid, parentUuid } = entry;
    const lost = typeof parentUuid === 'string' && !known.has(parentUuid);
    const linked = lost ? { ...entry, parentUuid: before } : entry;
    before = uuid ?? before;
    return linked;
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

/** The calls that an entry makes. */
export function toolCallsOf(entry: TranscriptEntry): OpenCall[] {
  if (entry.type !== 'assistant' || entry['isSidechain'] === true) return [];
  return blocksIn(entry).flatMap(({ type, id, name, input }) =>
    type === 'tool_use' && typeof id === 'string' && typeof name === 'string'
      ? [{ toolUseId: id, toolName: name, input: isRecord(input) ? input : {} }]
      : [],
  );
}

/**
 * A transcript that ends in calls as another process can take it up, and the calls that have no result. Left out is what
 * stands behind the last message of the model and is no result of its calls, and what it says of results of `neverHanded`:
 * an agent whose host has died answers such calls for itself, and may even have talked on.
 */
export function withOpenCalls(
  stored: readonly TranscriptEntry[],
  neverHanded: readonly string[],
): { readonly entries: readonly TranscriptEntry[]; readonly open: readonly OpenCall[] } {
  const entries = stored.filter((entry) => !isDeferredCall(entry));
  const made = callsAtEnd(entries, neverHanded);
  const done = new Set<string>();
  let end = made.end;
  for (const [index, entry] of entries.entries()) {
    const results = resultsIn(entry).filter((id) => made.ids.has(id));
    if (results.length === 0) continue;
    if (results.some((id) => neverHanded.includes(id))) break;
    for (const id of results) done.add(id);
    end = Math.max(end, index + 1);
  }
  return {
    entries: entries.slice(0, end),
    open: made.calls.filter(({ toolUseId }) => !done.has(toolUseId)),
  };
}

/** The entry that makes a process, when it resumes without a prompt, carry out a call by itself. */
export function deferredCallEntry(
  agentSessionId: string,
  { toolUseId, toolName, input }: OpenCall,
  before: readonly TranscriptEntry[],
): TranscriptEntry {
  const parentUuid = before.findLast(({ uuid }) => uuid !== undefined)?.uuid ?? null;
  return {
    type: 'attachment',
    uuid: randomUUID(),
    parentUuid,
    isSidechain: false,
    timestamp: new Date(wallClockMs()).toISOString(),
    sessionId: agentSessionId,
    cwd: '/',
    version: FORMAT_VERSION,
    userType: 'external',
    entrypoint: 'sdk-ts',
    attachment: {
      type: DEFERRED_CALL,
      toolUseID: toolUseId,
      toolName,
      toolInput: input,
      permissionMode: 'default',
    },
  };
}

/**
 * Whether an entry makes a process carry out a call by itself. Such an entry is written for one start, and must never be
 * there at another: it would run the tool again.
 */
export function isDeferredCall(entry: TranscriptEntry): boolean {
  const { attachment } = entry;
  return isRecord(attachment) && attachment['type'] === DEFERRED_CALL;
}

/** The calls of the last message that the conversation really had: the last one, or the one that made `neverHanded`. */
function callsAtEnd(
  entries: readonly TranscriptEntry[],
  neverHanded: readonly string[],
): { calls: OpenCall[]; ids: ReadonlySet<string>; end: number } {
  const last = entries.findLastIndex((entry) =>
    toolCallsOf(entry).some(({ toolUseId }) => neverHanded.includes(toolUseId)),
  );
  const at = last >= 0 ? last : entries.findLastIndex(isOfModel);
  const messageId = messageIdOf(entries[at]);
  const ofMessage = entries.flatMap((entry, index) =>
    isOfModel(entry) &&
    (index === at || (messageId !== undefined && messageIdOf(entry) === messageId))
      ? [{ entry, index }]
      : [],
  );
  const calls = ofMessage.flatMap(({ entry }) => toolCallsOf(entry));
  const ids = new Set(calls.map(({ toolUseId }) => toolUseId));
  return { calls, ids, end: (ofMessage.at(-1)?.index ?? -1) + 1 };
}

function isOfModel(entry: TranscriptEntry): boolean {
  return entry.type === 'assistant' && entry['isSidechain'] !== true;
}

function messageIdOf(entry: TranscriptEntry | undefined): string | undefined {
  const message = entry?.['message'];
  const id = isRecord(message) ? message['id'] : undefined;
  return typeof id === 'string' ? id : undefined;
}

function resultsIn(entry: TranscriptEntry): string[] {
  if (entry.type !== 'user' || entry['isSidechain'] === true) return [];
  return blocksIn(entry).flatMap(({ type, tool_use_id: id }) =>
    type === 'tool_result' && typeof id === 'string' ? [id] : [],
  );
}

function blocksIn({ message }: TranscriptEntry): Block[] {
  const content = isRecord(message) ? message['content'] : undefined;
  return Array.isArray(content) ? content.filter(isRecord) : [];
}

/** Whether an entry is the side file of a subagent, which the CLI keeps beside the transcript and not in it. */
export function isAgentMetadata(entry: TranscriptEntry): boolean {
  return entry.type === AGENT_METADATA;
}

/** The side file's content as the entry that the store keeps. */
export function agentMetadataEntry(content: Block): TranscriptEntry {
  return { ...content, type: AGENT_METADATA };
}

/**
 * What of a conversation came before prompts: everything up to the first entry that one of `prompts` stands for. What the
 * agent writes ahead of a prompt has no uuid (that it queued it, say) and goes with it.
 */
export function conversationBefore(
  entries: readonly TranscriptEntry[],
  prompts: ReadonlySet<string>,
): readonly TranscriptEntry[] {
  const cut = entries.findIndex(({ uuid }) => uuid !== undefined && prompts.has(uuid));
  if (cut < 0) return entries;
  return entries.slice(
    0,
    entries.findLastIndex(({ uuid }, at) => at < cut && uuid !== undefined) + 1,
  );
}

/** The entry as one of another conversation. Uuids stay: they are unique within a conversation, and records name them. */
export function ofConversation(entry: TranscriptEntry, agentSessionId: string): TranscriptEntry {
  return entry['sessionId'] === undefined ? entry : { ...entry, sessionId: agentSessionId };
}

/** Ids of the tool calls in messages of the model. */
export function toolCallsIn(entries: readonly TranscriptEntry[]): Set<string> {
  const calls = entries.flatMap(({ type, message }) =>
    type === 'assistant' && isRecord(message) && Array.isArray(message['content'])
      ? message['content'].flatMap((block: unknown) =>
          isRecord(block) && typeof block['id'] === 'string' ? [block['id']] : [],
        )
      : [],
  );
  return new Set(calls);
}

/** The tool call that a subagent works for, as its transcript says; undefined when it does not. */
export function subagentOf(entries: readonly TranscriptEntry[]): string | undefined {
  const call = entries.find(isAgentMetadata)?.['toolUseId'];
  return typeof call === 'string' ? call : undefined;
}

/** The entry as the side file's content, which has no type. */
export function agentMetadataContent(entry: TranscriptEntry): Block {
  return Object.fromEntries(Object.entries(entry).filter(([field]) => field !== 'type'));
}
