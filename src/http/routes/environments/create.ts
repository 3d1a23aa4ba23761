import type { FastifyInstance } from 'fastify';
import {
  parseEnvironmentCreate,
  toEnvironment,
} from '../../../dialects/managed-agents/environments.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';

/** `POST /v1/environments`. */
export function createEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post('/v1/environments', async (request) =>
    toEnvironment(
      await catalog.environments.create(request.tenant, parseEnvironmentCreate(request.body)),
    ),
  );
}
