import type { FastifyInstance } from 'fastify';
import { toEnvironment } from '../../../dialects/managed-agents/environments.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { EnvironmentParams } from './params.ts';

/** `GET /v1/environments/:environmentId`. */
export function readEnvironmentRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get<EnvironmentParams>('/v1/environments/:environmentId', async (request) =>
    toEnvironment(await catalog.environments.get(request.tenant, request.params.environmentId)),
  );
}
