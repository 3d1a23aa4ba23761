import type { BetaManagedAgentsDeletedSession } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import type { FastifyInstance } from 'fastify';
import { sessionDeletedAnswer } from '../../../dialects/managed-agents/session-answer.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams } from './params.ts';
import type { ManagedSessionParams } from './params.ts';

const OPERATION: Operation = {
  id: 'deleteManagedSession',
  tag: 'Sessions',
  summary: 'Delete a session',
  description:
    'With its events and the workspace that was made for it, archived or not. Not while it runs.',
  params: managedSessionParams,
  answers: { 200: { description: 'It is gone.', schema: sessionDeletedAnswer } },
  errors: ['not_found', 'session_busy'],
};

/** `DELETE /v1/sessions/:sessionId`: with its events and the workspace that was made for it, archived or not. */
export function deleteManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.delete<ManagedSessionParams>(
    '/v1/sessions/:sessionId',
    described(OPERATION),
    async (request): Promise<BetaManagedAgentsDeletedSession> => {
      const { sessionId } = request.params;
      await catalog.sessions.remove(request.tenant, sessionId);
      return { id: sessionId, type: 'session_deleted' };
    },
  );
}
