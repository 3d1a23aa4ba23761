import type { FastifyInstance } from 'fastify';
import {
  parseEnvironmentUpdate,
  toEnvironment,
} from '../../../dialects/managed-agents/environments.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { EnvironmentParams } from './params.ts';

/** `POST /v1/environments/:environmentId`: a patch. Sessions that exist keep what they were made with. */
export function updateEnvironmentRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<EnvironmentParams>('/v1/environments/:environmentId', async (request) => {
    const change = parseEnvironmentUpdate(request.body);
    const { environmentId } = request.params;
    return toEnvironment(await catalog.environments.update(request.tenant, environmentId, change));
  });
}
