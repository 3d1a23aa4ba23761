import { z } from 'zod';
import { errorBodySchema } from './error-body.ts';
import type { MessageBody, MessageEvent } from './wire.ts';

/** What the renderer and the accumulator make, as the document of the API shows it. */

const count = z.int().min(0);

const text = z.object({ type: z.literal('text'), text: z.string(), citations: z.null() });
const thinking = z.object({
  type: z.literal('thinking'),
  thinking: z.string(),
  signature: z.string(),
});
const toolUse = z
  .object({
    type: z.literal('mcp_tool_use'),
    id: z.string(),
    name: z.string(),
    server_name: z.string(),
    input: z.unknown(),
  })
  .describe('With `x-agent-events: blocks` only.');
const toolResult = z
  .object({
    type: z.literal('mcp_tool_result'),
    tool_use_id: z.string(),
    is_error: z.boolean(),
    content: z.union([z.string(), z.array(text)]),
  })
  .describe('With `x-agent-events: blocks` only.');

const block = z
  .discriminatedUnion('type', [text, thinking, toolUse, toolResult])
  .meta({ id: 'AnswerBlock' });

const usage = z.object({
  input_tokens: count,
  output_tokens: count,
  cache_creation_input_tokens: count.nullable(),
  cache_read_input_tokens: count.nullable(),
  cache_creation: z.null(),
  inference_geo: z.null(),
  output_tokens_details: z.null(),
  server_tool_use: z.null(),
  service_tier: z.null(),
  speed: z.null(),
});

const end = {
  stop_reason: z
    .enum([
      'end_turn',
      'max_tokens',
      'stop_sequence',
      'pause_turn',
      'refusal',
      'model_context_window_exceeded',
    ])
    .nullable(),
  stop_sequence: z.null(),
  stop_details: z.null(),
  container: z.null(),
};

export const messageAnswer = z
  .object({
    type: z.literal('message'),
    id: z.string(),
    role: z.literal('assistant'),
    model: z.string(),
    content: z.array(block),
    ...end,
    diagnostics: z.null(),
    usage,
  })
  .meta({ id: 'Message' }) satisfies z.ZodType<MessageBody>;

const index = z.int().min(0);

/** One event of an answer that is streamed; its name is its `type`. */
export const messageEventAnswer = z
  .union([
    z.object({
      type: z.literal('message_start'),
      message: messageAnswer.extend({ content: z.array(z.never()).describe('Empty yet.') }),
    }),
    z.object({ type: z.literal('content_block_start'), index, content_block: block }),
    z.object({
      type: z.literal('content_block_delta'),
      index,
      delta: z.discriminatedUnion('type', [
        z.object({ type: z.literal('text_delta'), text: z.string() }),
        z.object({ type: z.literal('thinking_delta'), thinking: z.string() }),
        z.object({ type: z.literal('signature_delta'), signature: z.string() }),
      ]),
    }),
    z.object({ type: z.literal('content_block_stop'), index }),
    z.object({
      type: z.literal('message_delta'),
      delta: z.object(end),
      usage: usage.pick({
        input_tokens: true,
        output_tokens: true,
        cache_creation_input_tokens: true,
        cache_read_input_tokens: true,
        output_tokens_details: true,
        server_tool_use: true,
      }),
    }),
    z.object({ type: z.literal('message_stop') }),
    z.object({ type: z.literal('ping') }),
    errorBodySchema,
  ])
  .meta({ id: 'MessageEvent' });

/** Every event but the ping, which has no type in the SDK, and the error, whose code is open here. */
messageEventAnswer satisfies z.ZodType<
  Exclude<MessageEvent, { type: 'error' }> | { type: 'ping' } | z.output<typeof errorBodySchema>
>;
