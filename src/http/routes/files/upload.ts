import multipart, { type Multipart, type MultipartFile } from '@fastify/multipart';
import type { FastifyInstance } from 'fastify';
import { FILE_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import {
  fileAnswer,
  fileUploadSchema,
  parseUploadedPart,
  parseUploadFields,
  toFile,
} from '../../../dialects/managed-agents/files.ts';
import { errorText, RoundhouseError } from '../../../errors.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { cutWhenStill } from '../../cut-when-still.ts';
import { discardBody } from '../../discard-body.ts';
import { described, type Operation } from '../../openapi/operation.ts';

/** Of the parts beside the file, which are few and short. The file has its own limits. */
const LIMITS = { files: 1, fields: 10, parts: 11, fieldSize: 1_000, headerPairs: 20 };

const OPERATION: Operation = {
  id: 'uploadFile',
  tag: 'Files',
  summary: 'Upload a file',
  body: {
    media: 'multipart/form-data',
    schema: fileUploadSchema,
    notes: FILE_FIELDS,
    example: { file: 'a,b\n1,2\n', expires_in_seconds: '86400' },
  },
  answers: { 200: { description: 'The file.', schema: fileAnswer } },
  errors: ['storage_quota_exceeded'],
};

/** `POST /v1/files`: keeps a file. The only route whose body is `multipart/form-data`. */
export function uploadFileRoute(app: FastifyInstance, deps: CatalogDependencies): void {
  const { catalog, options } = deps;
  void app.register(async (scope) => {
    // Nor does it take any other.
    scope.removeAllContentTypeParsers();
    await scope.register(multipart, {
      limits: { ...LIMITS, fileSize: Infinity },
      preservePath: true,
      isPartAFile: (name) => name === 'file',
    });
    scope.post('/v1/files', described(OPERATION), async (request, reply) => {
      if (!request.isMultipart()) throw noFile();
      cutWhenStill(reply, options.readerMaxLagMs);
      const parts = readable(request.parts());
      const fields = new UploadFields();
      try {
        const part = await fields.readUntilFile(parts);
        if (part === undefined) throw noFile();
        const description = parseUploadedPart({
          filename: part.filename,
          mimeType: part.mimetype,
        });
        const kept = await catalog.files.create(request.tenant, readable(part.file), async () => {
          await fields.readUntilFile(parts);
          return { ...description, ...parseUploadFields(fields.values) };
        });
        return toFile(kept);
      } catch (error) {
        request.raw.unpipe();
        request.raw.resume();
        discardBody(request, reply);
        throw error;
      }
    });
  });
}

/** What stands beside the file, in whatever order. */
class UploadFields {
  readonly values: Record<string, unknown> = {};

  /** Reads on to the file, or to the end. A second file has been refused by then. */
  async readUntilFile(parts: AsyncIterator<Multipart>): Promise<MultipartFile | undefined> {
    while (true) {
      const { done, value: part } = await parts.next();
      if (done === true) return undefined;
      if (part.type === 'file') return part;
      if (Object.hasOwn(this.values, part.fieldname)) {
        throw new RoundhouseError(
          'invalid_request',
          `${part.fieldname}: expected one, got two; remove one`,
        );
      }
      this.values[part.fieldname] = part.value;
    }
  }
}

/** The same, where what fails is the client's doing. */
async function* readable<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    throw new RoundhouseError(
      'invalid_request',
      `The multipart body could not be read: ${errorText(error)}. Expected one part named file and fields of docs/managed-agents.md beside it, in full.`,
      { cause: error },
    );
  }
}

function noFile(): RoundhouseError {
  return new RoundhouseError(
    'invalid_request',
    'file: expected a part of multipart/form-data, got none',
  );
}
