import type { FastifyInstance } from 'fastify';
import { attachment } from '../../attachment.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { cutWhenStill } from '../../cut-when-still.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { fileParams } from './params.ts';
import type { FileParams } from './params.ts';

const OPERATION: Operation = {
  id: 'downloadFile',
  tag: 'Files',
  summary: 'Download a file',
  params: fileParams,
  answers: {
    200: {
      description: 'The bytes, of the type that the file was sent with.',
      media: '*/*',
    },
  },
  errors: ['not_found', 'file_expired'],
};

/**
 * `GET /v1/files/:fileId/content`: the bytes, read as fast as the client takes them. What somebody has sent is never shown
 * as a page of this server: it is for saving, and of the type that it was sent with.
 */
export function downloadFileRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.get<FileParams>('/v1/files/:fileId/content', described(OPERATION), async (request, reply) => {
    const { file, bytes } = await catalog.files.open(request.tenant, request.params.fileId);
    // Also when nobody has begun to read: the client may be gone.
    reply.raw.once('close', () => {
      // It was for reading; nothing is lost when it can't be closed.
      bytes.close().catch(() => {});
    });
    cutWhenStill(reply, options.readerMaxLagMs);
    return reply
      .headers({
        'content-type': file.body.mimeType,
        'content-length': file.body.sizeBytes,
        'content-disposition': attachment(file.body.name),
        'x-content-type-options': 'nosniff',
        etag: `"${file.body.sha256}"`,
      })
      .send(ReadableStream.from(bytes));
  });
}
