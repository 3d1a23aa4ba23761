import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';

import type { ClientToolResult } from '../contracts/answerer.ts';

type McpBlock = CallToolResult['content'][number];

/**
 * A client's result in the words of MCP. Texts and images keep their form, a document of text becomes its text; what MCP has
 * no block for is shown as its JSON, because nothing the client has sent may be missing.
 */
export function toMcpResult({ content, isError }: ClientToolResult): CallToolResult {
  const blocks = content.map(toMcpBlock);
  // The model API refuses blank text.
  return {
    content: blocks.filter((block) => block.type !== 'text' || /\S/.test(block.text)),
    isError,
  };
}

/** A result that says what went wrong, to the model. */
export function failure(text: string): CallToolResult {
  return { content: [{ type: 'text', text }], isError: true };
}

function toMcpBlock(block: Readonly<Record<string, unknown>>): McpBlock {
  const { type, text, source } = block;
  if (type === 'text' && typeof text === 'string') return { type: 'text', text };
  if (isRecord(source)) {
    const { type: kind, data, media_type: mimeType } = source;
    if (type === 'image' && kind === 'base64' && isText(data) && isText(mimeType))
      return { type: 'image', data, mimeType };
    if (type === 'document' && kind === 'text' && isText(data)) return { type: 'text', text: data };
  }
  return { type: 'text', text: JSON.stringify(block) };
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
