import type { BetaDeletedFile, BetaFileMetadata } from '@anthropic-ai/sdk/resources/beta/files';
import { z } from 'zod';
import type { FileDefinition } from '../../definitions/file.ts';
import type { Kept } from '../../definitions/kept.ts';
import { RoundhouseError } from '../../errors.ts';
import { time } from './common-schema.ts';
import { extensionOf, typeByName, UNKNOWN_TYPE } from './file-types.ts';
import { parseBody } from './parse-body.ts';

const MAX_NAME_CHARS = 255;

/** What systems that files may be saved on again don't take in a name. Separators are gone by then. */
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[<>:"|?*\u0000-\u001f]/;

/** `type/subtype`, each a token as HTTP has it. Anything else could not stand in the header of a download. */
const MIME_TYPE = /^[!#$%&'*+.^_`|~0-9a-z-]{1,100}\/[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/;

const MIN_EXPIRY_S = 3_600;
const MAX_EXPIRY_S = 7_776_000;
const EXPIRY = `expected a whole number from ${MIN_EXPIRY_S} to ${MAX_EXPIRY_S}`;

/** What may stand beside the file in a body of `POST /v1/files`. */
const fieldsSchema = z.strictObject({
  expires_in_seconds: z
    .string()
    .regex(/^\d{1,9}$/, EXPIRY)
    .transform(Number)
    .pipe(z.number().min(MIN_EXPIRY_S, EXPIRY).max(MAX_EXPIRY_S, EXPIRY))
    .optional(),
});

/** The whole body, as the document of the API shows it; the bytes are read on their way. */
export const fileUploadSchema = fieldsSchema.extend({
  file: z.string().meta({ contentMediaType: 'application/octet-stream' }),
});

/** What {@link toFile} makes, as the document of the API shows it. */
export const fileAnswer = z
  .object({
    type: z.literal('file'),
    id: z.string().describe('`file_…`'),
    filename: z.string(),
    mime_type: z.string(),
    size_bytes: z.int().min(0),
    downloadable: z.literal(true),
    created_at: time,
    expires_at: time.nullable(),
    scope: z.null(),
  })
  .meta({ id: 'File' }) satisfies z.ZodType<BetaFileMetadata>;

export const fileDeletedAnswer = z.object({
  id: z.string(),
  type: z.literal('file_deleted'),
}) satisfies z.ZodType<BetaDeletedFile>;

/** The part of an upload that has the bytes, as it calls them. */
export interface UploadedPart {
  readonly filename: string | undefined;
  readonly mimeType: string;
}

/** What is kept as name and type of an uploaded file. Throws `invalid_request` for a name that can't be kept. */
export function parseUploadedPart({
  filename = '',
  mimeType,
}: UploadedPart): Pick<FileDefinition, 'name' | 'mimeType'> {
  const last = filename.split(/[\\/]/).at(-1) ?? '';
  const given = last === '.' || last === '..' ? '' : last.toWellFormed();
  if (given.length > MAX_NAME_CHARS || FORBIDDEN.test(given)) {
    throw new RoundhouseError(
      'invalid_request',
      `file: expected a filename of at most ${MAX_NAME_CHARS} characters without < > : " | ? * and control characters, got ${JSON.stringify(given.slice(0, 100))}; rename it`,
    );
  }
  const sent = MIME_TYPE.test(mimeType) ? mimeType : UNKNOWN_TYPE;
  const type = sent === UNKNOWN_TYPE ? (typeByName(given) ?? sent) : sent;
  return { name: given === '' ? `unnamed${extensionOf(type)}` : given, mimeType: type };
}

/** What the fields beside the file say. Throws `invalid_request` naming what is wrong, also for an unknown one. */
export function parseUploadFields(fields: Readonly<Record<string, unknown>>): {
  readonly expiresInMs: number | null;
} {
  const { expires_in_seconds: seconds } = parseBody(fieldsSchema, fields);
  return { expiresInMs: seconds === undefined ? null : seconds * 1_000 };
}

/** A file as the API shows it. */
export function toFile({ id, createdAt, body }: Kept<FileDefinition>): Required<BetaFileMetadata> {
  return {
    type: 'file',
    id,
    created_at: createdAt,
    filename: body.name,
    mime_type: body.mimeType,
    size_bytes: body.sizeBytes,
    downloadable: true,
    expires_at: body.expiresAt,
    scope: null,
  };
}
