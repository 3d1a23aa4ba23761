import { z } from 'zod';
import { documentSources, imageSources } from '../sources-schema.ts';

/**
 * The body of `POST /v1/messages`, as far as its fields take effect or are ignored; parse.ts has refused the others by
 * name before. Blocks and sources are strict, so that nothing in them is dropped in silence.
 */

/** Taken and listed as ignored, whatever it holds. */
const cacheControl = z.unknown().optional();

const text = z.strictObject({
  type: z.literal('text'),
  text: z.string(),
  cache_control: cacheControl,
  citations: z.array(z.unknown()).nullish(),
});

const image = z.strictObject({
  type: z.literal('image'),
  source: z.discriminatedUnion('type', imageSources),
  cache_control: cacheControl,
  transformations: z.null().optional(),
});

const document = z.strictObject({
  type: z.literal('document'),
  source: z.discriminatedUnion('type', documentSources),
  title: z.string().nullish(),
  context: z.string().nullish(),
  cache_control: cacheControl,
  citations: z.strictObject({ enabled: z.literal(false).optional() }).nullish(),
});

/** Blocks of a history are the model API's to judge; only what we must know of them is checked. */
const toolResult = z.looseObject({
  type: z.literal('tool_result'),
  tool_use_id: z.string(),
  content: z.union([z.string(), z.array(z.looseObject({ type: z.string() }))]).optional(),
  is_error: z.boolean().optional(),
});
const toolUse = z.looseObject({
  type: z.literal('tool_use'),
  id: z.string(),
  name: z.string(),
  input: z.unknown(),
});
const thinking = z.looseObject({
  type: z.literal('thinking'),
  thinking: z.string(),
  signature: z.string(),
});
const redactedThinking = z.looseObject({ type: z.literal('redacted_thinking'), data: z.string() });
const mcpToolUse = z.looseObject({ type: z.literal('mcp_tool_use') });
const mcpToolResult = z.looseObject({ type: z.literal('mcp_tool_result') });

const userBlock = z.discriminatedUnion('type', [text, image, document, toolResult]);
const assistantBlock = z.discriminatedUnion('type', [
  text,
  thinking,
  redactedThinking,
  toolUse,
  mcpToolUse,
  mcpToolResult,
]);

const message = z.discriminatedUnion('role', [
  z.strictObject({
    role: z.literal('user'),
    content: z.union([z.string(), z.array(userBlock)]),
  }),
  z.strictObject({
    role: z.literal('assistant'),
    content: z.union([z.string(), z.array(assistantBlock)]),
  }),
]);

const display = z.enum(['summarized', 'omitted']).nullish();

/** What stands in the body besides the refused fields. */
export const bodySchema = z.strictObject({
  messages: z.array(message).min(1, 'expected at least one message'),
  model: z.string().min(1, 'expected the name of a model').nullish(),
  system: z.union([z.string(), z.array(text)]).nullish(),
  stream: z.boolean().nullish(),
  metadata: z
    .strictObject({ user_id: z.string().nullish(), session_id: z.string().nullish() })
    .nullish(),
  thinking: z
    .discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('enabled'),
        budget_tokens: z.number().int().min(1024, 'expected at least 1024'),
        display,
      }),
      z.strictObject({ type: z.literal('disabled') }),
      z.strictObject({ type: z.literal('adaptive'), display }),
    ])
    .nullish(),
  max_tokens: z.number().int().min(1, 'expected at least 1').nullish(),
  cache_control: z.unknown().optional(),
  diagnostics: z.unknown().optional(),
  service_tier: z.enum(['auto', 'standard_only']).nullish(),
});

export type Body = z.output<typeof bodySchema>;
export type BodyMessage = Body['messages'][number];
