import { z } from 'zod';
import { documentSources, imageSources } from '../sources-schema.ts';
import type { FieldRule } from './fields.ts';
import { MAX_BLOCKS } from './message-schema.ts';
import { refusedVariant } from './parse-body.ts';

/** What the result of a client's own tool consists of: what a tool of an MCP server can give back, for it is one to the agent. */

const [base64Image] = imageSources;
const [, plainText] = documentSources;

const refused = (note: string): FieldRule => ({ effect: 'refused', note });
const NO_URL = refused('a tool gives the data itself; send base64, or plain text');
const NO_FILE = refused('a result can not take files by id; send base64, or plain text');

const block = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [
      base64Image,
      refusedVariant('url', NO_URL),
      refusedVariant('file', NO_FILE),
    ]),
  }),
  z.strictObject({
    type: z.literal('document'),
    source: z.discriminatedUnion('type', [
      plainText,
      refusedVariant('base64', refused('of documents only plain text reaches the model')),
      refusedVariant('url', NO_URL),
      refusedVariant('file', NO_FILE),
    ]),
    title: z.string().nullable().exactOptional(),
    context: z.string().nullable().exactOptional(),
  }),
  refusedVariant('search_result', refused('the agent has no such block; send it as text')),
]);

export const customToolResult = z.strictObject({
  type: z.literal('user.custom_tool_result'),
  custom_tool_use_id: z.string().min(1).max(200),
  content: z.array(block).max(MAX_BLOCKS).optional(),
  is_error: z.boolean().nullish(),
});
