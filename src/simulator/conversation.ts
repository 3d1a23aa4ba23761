import type { Message } from './message.ts';
import { readUserText } from './user-text.ts';

/** A tool's result that came after the last prompt. */
export interface ToolResult {
  tool: string;
  text: string;
  isError: boolean;
}

/** What a person said in a request, without what Claude Code puts around it. */
export interface Conversation {
  /** The last prompt of a person; '' when it is only an attachment; undefined when there is none at all. */
  prompt: string | undefined;
  /** The prompts before it, oldest first. */
  earlierPrompts: string[];
  /** User and assistant messages before the message that holds the prompt. */
  earlierMessageCount: number;
  /** Images and documents in the message that holds the prompt. */
  imageCount: number;
  documentCount: number;
  /** How often Claude Code itself asked to go on with the answer to this prompt, after its end was cut short. */
  continuations: number;
  /** The results that came after the prompt, oldest first. */
  toolResults: ToolResult[];
}

/** Stands for what Claude Code reports by itself as a turn of its own; the report quotes, so its text is not used. */
const TASK_REPORT = 'a background task reported';
/** Stands for the summary that takes the place of a compacted conversation. */
const SUMMARY = 'a summary of what was said before';

/**
 * Reads the conversation out of a request. Every text block that is a person's counts as one prompt: Claude Code puts the
 * prompts of a failed or interrupted turn and the next one into the same message. Pure.
 */
export function readConversation(messages: readonly Message[]): Conversation {
  const found: Conversation = {
    prompt: undefined,
    earlierPrompts: [],
    earlierMessageCount: 0,
    imageCount: 0,
    documentCount: 0,
    continuations: 0,
    toolResults: [],
  };
  const toolNames = new Map<string, string>();
  let messageCount = 0;
  for (const { role, blocks } of messages) {
    if (role === 'system') continue;
    let reports = false;
    for (const block of blocks) {
      if (block.type === 'tool_use') toolNames.set(block.id, block.name);
      if (role !== 'user') continue;
      if (block.type === 'text') {
        const read = readUserText(block.text);
        if (read.kind === 'continuation') found.continuations += 1;
        if (read.kind === 'task-report') reports = true;
        if (read.kind === 'summary') takePrompt(found, SUMMARY, messageCount);
        if (read.kind === 'prompt') takePrompt(found, read.text, messageCount);
      }
      if (block.type === 'tool_result') {
        const { text, isError } = block;
        found.toolResults.push({ tool: toolNames.get(block.toolUseId) ?? 'tool', text, isError });
      }
    }
    if (role === 'user') takeAttachments(found, blocks, messageCount);
    // beside a prompt or a tool's result a report is only news; alone it starts a turn
    const alone = reports && !blocks.some(({ type }) => type === 'tool_result');
    if (alone && !holdsPrompt(found, messageCount)) takePrompt(found, TASK_REPORT, messageCount);
    messageCount += 1;
  }
  return found;
}

function takePrompt(found: Conversation, text: string, messageIndex: number): void {
  if (found.prompt !== undefined && found.prompt !== '') found.earlierPrompts.push(found.prompt);
  found.prompt = text;
  found.earlierMessageCount = messageIndex;
  found.imageCount = 0;
  found.documentCount = 0;
  found.continuations = 0;
  found.toolResults = [];
}

/** A message of attachments alone is a prompt without words; beside tool results they belong to the tools. */
function takeAttachments(
  found: Conversation,
  blocks: Message['blocks'],
  messageIndex: number,
): void {
  const count = (type: string): number => blocks.filter((block) => block.type === type).length;
  if (count('image') + count('document') === 0 || count('tool_result') > 0) return;
  if (!holdsPrompt(found, messageIndex)) takePrompt(found, '', messageIndex);
  found.imageCount = count('image');
  found.documentCount = count('document');
}

function holdsPrompt(found: Conversation, messageIndex: number): boolean {
  return found.prompt !== undefined && found.earlierMessageCount === messageIndex;
}
