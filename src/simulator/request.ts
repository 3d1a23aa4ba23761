import { ApiError } from './errors.ts';
import { isObject } from './json.ts';
import type { Block, Message } from './message.ts';
import { checkToolPairs } from './tool-pairs.ts';

/** A request to `/v1/messages` or `/v1/messages/count_tokens`, checked. */
export interface MessagesRequest {
  model: string;
  stream: boolean;
  hasSystem: boolean;
  messages: Message[];
  /** The JSON schema the answer must follow, when structured output is asked for. */
  outputSchema: unknown;
  /** The schema of the tool through which Claude Code takes structured output, when it is offered. */
  structuredOutputSchema: unknown;
  /** The estimate for everything that was sent. */
  inputTokens: number;
}

/** The CLI adds this tool when the SDK's `outputFormat` is set, and insists on a call of it. */
export const STRUCTURED_OUTPUT_TOOL = 'StructuredOutput';

/** The size an image or a document counts as, in characters: 1,500 tokens. */
const ATTACHMENT_CHARS = 6000;
const CHARS_PER_TOKEN = 4;

/**
 * Checks a parsed body as the API does, as far as an agent could get it wrong: the required fields, the roles, and that
 * every tool call is answered in the next message and every tool result answers one. Throws a 400 {@link ApiError}.
 */
export function readMessagesRequest(
  body: unknown,
  { needsMaxTokens }: { needsMaxTokens: boolean },
): MessagesRequest {
  if (!isObject(body)) throw new ApiError(400, 'The body must be a JSON object.');
  if (typeof body['model'] !== 'string') throw new ApiError(400, 'model: Field required');
  const maxTokens = body['max_tokens'];
  if (needsMaxTokens && !(Number.isInteger(maxTokens) && Number(maxTokens) >= 1)) {
    throw new ApiError(400, 'max_tokens: expected a whole number, at least 1');
  }
  if (!Array.isArray(body['messages']) || body['messages'].length === 0) {
    throw new ApiError(400, 'messages: at least one message is required');
  }
  const messages = body['messages'].map(readMessage);
  checkToolPairs(messages);
  const format = isObject(body['output_config']) ? body['output_config']['format'] : undefined;
  return {
    model: body['model'],
    stream: body['stream'] === true,
    hasSystem: body['system'] !== undefined && body['system'] !== '',
    messages,
    outputSchema:
      isObject(format) && format['type'] === 'json_schema' ? format['schema'] : undefined,
    structuredOutputSchema: structuredOutputSchema(body['tools']),
    inputTokens: estimateTokens(charsIn([body['system'], body['messages'], body['tools']])),
  };
}

/** The estimate for a number of characters: a quarter, rounded up, and at least 1. */
export function estimateTokens(chars: number): number {
  return Math.max(1, Math.ceil(chars / CHARS_PER_TOKEN));
}

function structuredOutputSchema(tools: unknown): unknown {
  if (!Array.isArray(tools)) return undefined;
  return tools.filter(isObject).find(({ name }) => name === STRUCTURED_OUTPUT_TOOL)?.[
    'input_schema'
  ];
}

function readMessage(message: unknown, index: number): Message {
  const role = isObject(message) ? message['role'] : undefined;
  if (role !== 'user' && role !== 'assistant' && role !== 'system') {
    throw new ApiError(400, `messages.${index}.role: expected "user", "assistant" or "system"`);
  }
  const content = isObject(message) ? message['content'] : undefined;
  if (typeof content === 'string') return { role, blocks: [{ type: 'text', text: content }] };
  if (!Array.isArray(content)) {
    throw new ApiError(400, `messages.${index}.content: expected a string or a list of blocks`);
  }
  return { role, blocks: content.map((block: unknown) => readBlock(block, index)) };
}

function readBlock(block: unknown, index: number): Block {
  if (!isObject(block) || typeof block['type'] !== 'string') {
    throw new ApiError(400, `messages.${index}.content: expected blocks with a type`);
  }
  switch (block['type']) {
    case 'text':
      return { type: 'text', text: stringOf(block['text']) };
    case 'image':
    case 'document':
      return { type: block['type'] };
    case 'tool_use':
      return { type: 'tool_use', id: stringOf(block['id']), name: stringOf(block['name']) };
    case 'tool_result':
      return {
        type: 'tool_result',
        toolUseId: stringOf(block['tool_use_id']),
        text: resultText(block['content']),
        isError: block['is_error'] === true,
      };
    default:
      return { type: 'other' };
  }
}

/** A result is a string or a list of blocks; those without text are named in brackets. */
function resultText(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .filter(isObject)
    .map((block) =>
      block['type'] === 'text' ? stringOf(block['text']) : `[${stringOf(block['type'])}]`,
    )
    .join('\n');
}

function charsIn(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (Array.isArray(value)) return value.reduce((sum: number, item) => sum + charsIn(item), 0);
  if (!isObject(value)) return 0;
  if (value['type'] === 'image' || value['type'] === 'document') return ATTACHMENT_CHARS;
  return Object.values(value).reduce((sum: number, item) => sum + charsIn(item), 0);
}

/** '' for what is no string: only ids and text are asked for, and an answer without them is still an answer. */
function stringOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
