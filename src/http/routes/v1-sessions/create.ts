import type { FastifyInstance } from 'fastify';
import { parseSessionCreate, toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';

/** `POST /v1/sessions`: makes a session of an agent, in an environment. Waits for no process. */
export function createManagedSessionRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.post('/v1/sessions', async (request) =>
    toSession(
      await catalog.sessions.create(request.tenant, parseSessionCreate(request.body, options)),
    ),
  );
}
