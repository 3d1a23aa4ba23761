import { RoundhouseError } from '../../errors.ts';
import type { PromptContent } from '../../events/record.ts';
import type { BodyMessage } from './schema.ts';

/** One message of a history, in the form of the Messages API. */
export interface HistoryMessage {
  readonly role: 'user' | 'assistant';
  readonly content: string | readonly Readonly<Record<string, unknown>>[];
}

/** Notes a field that was left out, for `x-roundhouse-ignored`. */
export type NoteIgnored = (field: string) => void;

/**
 * The prompt: the content of the user messages at the end, in order. Blank text is left out.
 * Throws `invalid_request` when nothing is left, `unsupported_field` for a block that no prompt can have.
 */
export function promptOf(
  messages: readonly BodyMessage[],
  firstIndex: number,
  ignore: NoteIgnored,
): PromptContent {
  const content: PromptContent = [];
  messages.forEach((message, offset) => {
    const path = `messages.${firstIndex + offset}.content`;
    const blocks =
      typeof message.content === 'string' ? [textBlock(message.content)] : message.content;
    blocks.forEach((block, index) => {
      const part = promptBlock(block, `${path}.${index}`, ignore);
      if (part !== undefined) content.push(part);
    });
  });
  if (content.length === 0) {
    throw new RoundhouseError(
      'invalid_request',
      `messages.${firstIndex + messages.length - 1}.content: expected text, an image or a document, got nothing; say what the agent should do`,
    );
  }
  return content;
}

function textBlock(text: string): { type: 'text'; text: string } {
  return { type: 'text', text };
}

type PromptBlock = PromptContent[number];
type Block = Exclude<BodyMessage['content'], string>[number];

function promptBlock(block: Block, path: string, ignore: NoteIgnored): PromptBlock | undefined {
  switch (block.type) {
    case 'text':
      noteCacheControl(block, ignore);
      noteCitations(block, ignore);
      return block.text.trim() === '' ? undefined : textBlock(block.text);
    case 'image':
      noteCacheControl(block, ignore);
      return { type: 'image', source: block.source };
    case 'document':
      noteCacheControl(block, ignore);
      return {
        type: 'document',
        source: block.source,
        ...(block.title === undefined ? {} : { title: block.title }),
        ...(block.context === undefined ? {} : { context: block.context }),
      };
    case 'tool_result':
    case 'tool_use':
    case 'thinking':
    case 'redacted_thinking':
    case 'mcp_tool_use':
    case 'mcp_tool_result':
      throw new RoundhouseError(
        'unsupported_field',
        `${path}.type: expected "text", "image" or "document" in a prompt, got "${block.type}"; the agent runs its tools itself and takes no results`,
      );
    default:
      return block satisfies never;
  }
}

/** The history, ready to be written as a transcript: cache marks stripped, our own tool blocks left out, both noted. */
export function historyOf(messages: readonly BodyMessage[], ignore: NoteIgnored): HistoryMessage[] {
  const first = messages[0];
  if (first !== undefined && first.role !== 'user') {
    throw new RoundhouseError(
      'invalid_request',
      `messages.0.role: expected "user" in the first message, got "${first.role}"; begin the history with what the user said`,
    );
  }
  const history: HistoryMessage[] = [];
  messages.forEach((message) => {
    const content = historyContent(message, ignore);
    if (content.length > 0) history.push({ role: message.role, content });
  });
  return history;
}

function historyContent(message: BodyMessage, ignore: NoteIgnored): HistoryMessage['content'] {
  if (typeof message.content === 'string') return message.content;
  const kept: Record<string, unknown>[] = [];
  message.content.forEach((block) => {
    if (block.type === 'mcp_tool_use' || block.type === 'mcp_tool_result') {
      ignore(`messages.*.content.*.${block.type}`);
      return;
    }
    if (block.type === 'text' && block.text.trim() === '') return;
    const { cache_control, ...rest }: Record<string, unknown> = { ...block };
    noteCacheControl({ cache_control }, ignore);
    kept.push(rest);
  });
  return kept;
}

function noteCacheControl(block: { cache_control?: unknown }, ignore: NoteIgnored): void {
  if (block.cache_control !== undefined && block.cache_control !== null) ignore('cache_control');
}

function noteCitations(
  block: { citations?: readonly unknown[] | null | undefined },
  ignore: NoteIgnored,
): void {
  if ((block.citations ?? []).length > 0) ignore('citations');
}
