import type { BetaManagedAgentsAgentToolResultEvent } from '@anthropic-ai/sdk/resources/beta/sessions';

import { isRecord } from './unknown.ts';

/** Content of a tool result in the wire format. */
export type ToolResultContent = NonNullable<BetaManagedAgentsAgentToolResultEvent['content']>;

/**
 * A tool result's content in the wire format. Texts and images keep their form; what the wire format has no block for is
 * shown as its JSON, because nothing the model saw may be missing.
 */
export function toToolResultContent(content: unknown): ToolResultContent {
  if (content === undefined || content === null) return [];
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) return [{ type: 'text', text: JSON.stringify(content) }];
  return content.map(toBlock);
}

function toBlock(block: unknown): ToolResultContent[number] {
  if (!isRecord(block)) return { type: 'text', text: JSON.stringify(block) };
  if (block['type'] === 'text' && typeof block['text'] === 'string') {
    return { type: 'text', text: block['text'] };
  }
  const source = block['source'];
  if (block['type'] === 'image' && isRecord(source)) {
    const { type, media_type: mediaType, data, url } = source;
    if (type === 'base64' && typeof mediaType === 'string' && typeof data === 'string') {
      return { type: 'image', source: { type, media_type: mediaType, data } };
    }
    if (type === 'url' && typeof url === 'string') return { type: 'image', source: { type, url } };
  }
  return { type: 'text', text: JSON.stringify(block) };
}
