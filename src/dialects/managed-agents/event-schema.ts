import { z } from 'zod';
import { refusedEvent } from './event-types.ts';
import type { FieldRule } from './fields.ts';
import { MAX_BLOCKS, textBlock, userMessage } from './message-schema.ts';
import { refusedField, refusedVariant } from './parse-body.ts';
import { customToolResult } from './tool-result-schema.ts';

/** The body of `POST /v1/sessions/{id}/events`. */

/** Of one request. Messages among them are bounded by `pool.maxQueuedTurns` too. */
const MAX_EVENTS = 100;
/** For the model to read. */
const MAX_DENY_CHARS = 10_000;

const THREAD: FieldRule = { effect: 'refused', note: 'a session has one thread here' };

const event = z.discriminatedUnion('type', [
  userMessage,
  z.strictObject({
    type: z.literal('user.interrupt'),
    session_thread_id: refusedField(THREAD),
  }),
  z.strictObject({
    type: z.literal('system.message'),
    content: z.array(textBlock).min(1).max(MAX_BLOCKS),
  }),
  z
    .strictObject({
      type: z.literal('user.tool_confirmation'),
      tool_use_id: z.string().min(1).max(200),
      result: z.enum(['allow', 'deny']),
      deny_message: z.string().max(MAX_DENY_CHARS).nullish(),
    })
    .refine(({ result, deny_message }) => result === 'deny' || deny_message == null, {
      error: 'expected a deny_message with the result deny only; remove it',
      path: ['deny_message'],
    }),
  customToolResult,
  refusedVariant('user.tool_result', refusedEvent('user.tool_result')),
  refusedVariant('user.define_outcome', refusedEvent('user.define_outcome')),
]);

export const sendSchema = z.strictObject({
  events: z
    .array(event)
    .min(1)
    .max(MAX_EVENTS)
    .superRefine((events, context) => {
      for (const [index, { type }] of events.entries()) {
        if (type !== 'system.message') continue;
        // The API's rule: it accompanies the message right before it, and nothing comes behind it.
        if (index === events.length - 1 && events[index - 1]?.type === 'user.message') continue;
        const message =
          'expected a system.message to be the last event, right behind a user.message';
        context.addIssue({ code: 'custom', path: [index], message });
      }
    }),
});

export type SentEvent = z.output<typeof sendSchema>['events'][number];
