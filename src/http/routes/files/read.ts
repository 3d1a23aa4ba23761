import type { FastifyInstance } from 'fastify';
import { fileAnswer, toFile } from '../../../dialects/managed-agents/files.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { fileParams } from './params.ts';
import type { FileParams } from './params.ts';

const OPERATION: Operation = {
  id: 'getFile',
  tag: 'Files',
  summary: 'Retrieve what is known of a file',
  params: fileParams,
  answers: { 200: { description: 'The file, without its bytes.', schema: fileAnswer } },
  errors: ['not_found'],
};

/** `GET /v1/files/:fileId`: what is known of the file, without its bytes. */
export function readFileRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get<FileParams>('/v1/files/:fileId', described(OPERATION), async (request) =>
    toFile(await catalog.files.get(request.tenant, request.params.fileId)),
  );
}
