import type { BetaManagedAgentsDeletedSession } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type { FastifyInstance } from 'fastify';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { ManagedSessionParams } from './params.ts';

/** `DELETE /v1/sessions/:sessionId`: with its events and the workspace that was made for it, archived or not. */
export function deleteManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.delete<ManagedSessionParams>(
    '/v1/sessions/:sessionId',
    async (request): Promise<BetaManagedAgentsDeletedSession> => {
      const { sessionId } = request.params;
      await catalog.sessions.remove(request.tenant, sessionId);
      return { id: sessionId, type: 'session_deleted' };
    },
  );
}
