import type { BetaEnvironmentDeleteResponse } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type { FastifyInstance } from 'fastify';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { EnvironmentParams } from './params.ts';

/** `DELETE /v1/environments/:environmentId`: with its secrets, archived or not. */
export function deleteEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.delete<EnvironmentParams>(
    '/v1/environments/:environmentId',
    async (request): Promise<BetaEnvironmentDeleteResponse> => {
      const { environmentId } = request.params;
      await catalog.environments.remove(request.tenant, environmentId);
      return { id: environmentId, type: 'environment_deleted' };
    },
  );
}
