import { z } from 'zod';

/** Where the data of images and documents comes from: the same in all dialects, and strict, so that nothing is dropped. */

export const httpUrl = z.url({
  protocol: /^https?$/,
  error: 'expected an http or https URL',
});

const base64 = z
  .string()
  .min(1, 'expected base64 data')
  .regex(/^[A-Za-z0-9+/\r\n]+={0,2}\s*$/, 'expected base64 data');

const urlSource = z.strictObject({ type: z.literal('url'), url: httpUrl });

/** Of an image that the model API takes. */
export const imageSources = [
  z.strictObject({
    type: z.literal('base64'),
    media_type: z.enum(['image/jpeg', 'image/png', 'image/gif', 'image/webp']),
    data: base64,
  }),
  urlSource,
] as const;

/** Of a document that the model API takes. */
export const documentSources = [
  z.strictObject({
    type: z.literal('base64'),
    media_type: z.literal('application/pdf'),
    data: base64,
  }),
  z.strictObject({
    type: z.literal('text'),
    media_type: z.literal('text/plain'),
    data: z.string(),
  }),
  urlSource,
] as const;
