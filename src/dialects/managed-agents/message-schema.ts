import { z } from 'zod';
import { SESSION_FIELDS } from './fields.ts';
import { refusedVariant } from './parse-body.ts';

/** What a `user.message` consists of. */

const file = refusedVariant('file', SESSION_FIELDS['initial_events.*.content.*.source.file']);

const base64 = z.strictObject({
  type: z.literal('base64'),
  media_type: z.string().min(1),
  data: z.base64(),
});

const url = z.strictObject({
  type: z.literal('url'),
  url: z.url({ protocol: /^https?$/, error: 'expected an http or https URL' }),
});

const plainText = z.strictObject({
  type: z.literal('text'),
  media_type: z.literal('text/plain'),
  data: z.string(),
});

const block = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string().min(1) }),
  z.strictObject({
    type: z.literal('image'),
    source: z.discriminatedUnion('type', [base64, url, file]),
  }),
  z.strictObject({
    type: z.literal('document'),
    source: z.discriminatedUnion('type', [base64, plainText, url, file]),
    title: z.string().nullable().exactOptional(),
    context: z.string().nullable().exactOptional(),
  }),
  refusedVariant('redacted', SESSION_FIELDS['initial_events.*.content.*.type.redacted']),
]);

export const userMessage = z.strictObject({
  type: z.literal('user.message'),
  content: z.array(block).min(1),
});
