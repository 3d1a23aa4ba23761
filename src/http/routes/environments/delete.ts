import type { BetaEnvironmentDeleteResponse } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type { FastifyInstance } from 'fastify';
import { environmentDeletedAnswer } from '../../../dialects/managed-agents/environment-answer.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { environmentParams } from './params.ts';
import type { EnvironmentParams } from './params.ts';

const OPERATION: Operation = {
  id: 'deleteEnvironment',
  tag: 'Environments',
  summary: 'Delete an environment',
  description: 'With its secrets, archived or not; not as long as it has sessions.',
  params: environmentParams,
  answers: { 200: { description: 'It is gone.', schema: environmentDeletedAnswer } },
  errors: ['not_found', 'environment_in_use'],
};

/** `DELETE /v1/environments/:environmentId`: with its secrets, archived or not. */
export function deleteEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.delete<EnvironmentParams>(
    '/v1/environments/:environmentId',
    described(OPERATION),
    async (request): Promise<BetaEnvironmentDeleteResponse> => {
      const { environmentId } = request.params;
      await catalog.environments.remove(request.tenant, environmentId);
      return { id: environmentId, type: 'environment_deleted' };
    },
  );
}
