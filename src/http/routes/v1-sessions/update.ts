import type { FastifyInstance } from 'fastify';
import { parseSessionUpdate, toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { ManagedSessionParams } from './params.ts';

/** `POST /v1/sessions/:sessionId`: a patch, which holds from the next turn on. */
export function updateManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<ManagedSessionParams>('/v1/sessions/:sessionId', async (request) => {
    const change = parseSessionUpdate(request.body);
    const { sessionId } = request.params;
    return toSession(await catalog.sessions.update(request.tenant, sessionId, change));
  });
}
