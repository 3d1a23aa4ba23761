import { z } from 'zod';
import { documentSources, imageSources } from '../sources-schema.ts';
import { SESSION_FIELDS } from './fields.ts';
import { refusedVariant } from './parse-body.ts';

/** What a `user.message` consists of. */

/** Of one message. */
export const MAX_BLOCKS = 1_000;

const file = z.strictObject({ type: z.literal('file'), file_id: z.string().min(1).max(200) });

export const textBlock = z.strictObject({
  type: z.literal('text'),
  // The model API refuses blank text, and by then the turn has begun.
  text: z.string().regex(/\S/, 'expected text that is not blank'),
});

const block = z.discriminatedUnion('type', [
  textBlock,
  z.strictObject({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [...imageSources, file]),
  }),
  z.strictObject({
    type: z.literal('document'),
    source: z.discriminatedUnion('type', [...documentSources, file]),
    title: z.string().nullable().exactOptional(),
    context: z.string().nullable().exactOptional(),
  }),
  refusedVariant('redacted', SESSION_FIELDS['initial_events.*.content.*.type.redacted']),
]);

export const userMessage = z.strictObject({
  type: z.literal('user.message'),
  content: z.array(block).min(1).max(MAX_BLOCKS),
});
