import type { FastifyInstance } from 'fastify';
import { toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { ManagedSessionParams } from './params.ts';

/** `POST /v1/sessions/:sessionId/archive`: it takes no more events, and can be read. */
export function archiveManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<ManagedSessionParams>('/v1/sessions/:sessionId/archive', async (request) =>
    toSession(await catalog.sessions.archive(request.tenant, request.params.sessionId)),
  );
}
