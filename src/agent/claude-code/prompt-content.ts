import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';

import type { AgentPrompt } from '../../contracts/agent-driver.ts';
import type { PromptContent } from '../../events/record.ts';
import { RoundhouseError } from '../../errors.ts';

type Uuid = NonNullable<SDKUserMessage['uuid']>;
type Content = SDKUserMessage['message']['content'];
type Block = Exclude<Content, string>[number];
type ImageMediaType = 'image/jpeg' | 'image/png' | 'image/gif' | 'image/webp';

/** Types of images that the Messages API takes. */
const IMAGE_TYPES: readonly string[] = [
  'image/jpeg',
  'image/png',
  'image/gif',
  'image/webp',
] satisfies ImageMediaType[];

function isImageType(type: string): type is ImageMediaType {
  return IMAGE_TYPES.includes(type);
}

/** A prompt as the agent takes it, with its id, by which everything that it causes is told apart. */
export function toUserMessage({ promptId, content, system }: AgentPrompt): SDKUserMessage {
  if (!isUuid(promptId)) {
    throw new RoundhouseError('internal', `A prompt id must be a UUID, got ${promptId}.`);
  }
  return {
    type: 'user',
    uuid: promptId,
    parent_tool_use_id: null,
    message: { role: 'user', content: toMessageContent(content, system) },
  };
}

function isUuid(text: string): text is Uuid {
  return /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);
}

/** A prompt's content as the agent takes it. `unsupported_field` for what it can't be given; nothing is dropped. */
function toMessageContent(content: PromptContent, system: string | undefined): Block[] {
  if (content.length === 0) {
    throw new RoundhouseError('invalid_request', 'A prompt needs at least one content block.');
  }
  const blocks = content.map(toBlock);
  return system === undefined ? blocks : [...blocks, operatorText(system)];
}

/**
 * What the operator says, behind what the user says. The CLI takes no system message within a conversation; this is the mark
 * that it sets on its own words to the model, and a part of the transcript, so that later turns and resumes have it.
 */
function operatorText(text: string): Block {
  return {
    type: 'text',
    text: `<system-reminder>\nThe operator of this session adds to the system prompt, from now on:\n\n${text}\n</system-reminder>`,
  };
}

function toBlock(block: PromptContent[number]): Block {
  switch (block.type) {
    case 'text':
      return { type: 'text', text: block.text };
    case 'image':
      return { type: 'image', source: imageSource(block.source) };
    case 'document':
      return {
        type: 'document',
        source: documentSource(block.source),
        ...(block.title == null ? {} : { title: block.title }),
        ...(block.context == null ? {} : { context: block.context }),
      };
    case 'redacted':
      throw unsupported('a redacted block', 'the text itself');
    default:
      return block satisfies never;
  }
}

function imageSource(
  source: Extract<PromptContent[number], { type: 'image' }>['source'],
): Extract<Block, { type: 'image' }>['source'] {
  switch (source.type) {
    case 'base64': {
      if (!isImageType(source.media_type)) {
        throw unsupported(`an image of type ${source.media_type}`, IMAGE_TYPES.join(', '));
      }
      return { type: 'base64', media_type: source.media_type, data: source.data };
    }
    case 'url':
      return { type: 'url', url: source.url };
    case 'file':
      throw unsupported('an image by file id', 'base64 or url');
    default:
      return source satisfies never;
  }
}

function documentSource(
  source: Extract<PromptContent[number], { type: 'document' }>['source'],
): Extract<Block, { type: 'document' }>['source'] {
  switch (source.type) {
    case 'base64':
      if (source.media_type !== 'application/pdf') {
        throw unsupported(`a base64 document of type ${source.media_type}`, 'application/pdf');
      }
      return { type: 'base64', media_type: source.media_type, data: source.data };
    case 'text':
      return { type: 'text', media_type: source.media_type, data: source.data };
    case 'url':
      return { type: 'url', url: source.url };
    case 'file':
      throw unsupported('a document by file id', 'base64, text or url');
    default:
      return source satisfies never;
  }
}

function unsupported(what: string, instead: string): RoundhouseError {
  return new RoundhouseError(
    'unsupported_field',
    `The agent can't be given ${what} in a prompt. Expected ${instead}.`,
  );
}
