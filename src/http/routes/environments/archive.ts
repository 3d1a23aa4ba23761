import type { FastifyInstance } from 'fastify';
import { toEnvironment } from '../../../dialects/managed-agents/environments.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { EnvironmentParams } from './params.ts';

/** `POST /v1/environments/:environmentId/archive`: for good. */
export function archiveEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<EnvironmentParams>('/v1/environments/:environmentId/archive', async (request) =>
    toEnvironment(await catalog.environments.archive(request.tenant, request.params.environmentId)),
  );
}
