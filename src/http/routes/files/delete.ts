import type { BetaDeletedFile } from '@anthropic-ai/sdk/resources/beta/files';
import type { FastifyInstance } from 'fastify';
import { fileDeletedAnswer } from '../../../dialects/managed-agents/files.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { fileParams } from './params.ts';
import type { FileParams } from './params.ts';

const OPERATION: Operation = {
  id: 'deleteFile',
  tag: 'Files',
  summary: 'Delete a file',
  description: 'With its bytes. Copies in the workspaces of sessions stay.',
  params: fileParams,
  answers: { 200: { description: 'It is gone.', schema: fileDeletedAnswer } },
  errors: ['not_found'],
};

/** `DELETE /v1/files/:fileId`: with its bytes. Copies in workspaces stay. */
export function deleteFileRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.delete<FileParams>(
    '/v1/files/:fileId',
    described(OPERATION),
    async (request): Promise<BetaDeletedFile> => {
      const { fileId } = request.params;
      await catalog.files.remove(request.tenant, fileId);
      return { id: fileId, type: 'file_deleted' };
    },
  );
}
