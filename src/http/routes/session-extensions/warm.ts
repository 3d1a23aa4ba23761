import type { FastifyInstance } from 'fastify';
import { toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import { SESSION_ERRORS } from '../../openapi/error-codes.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams, type ManagedSessionParams } from '../v1-sessions/params.ts';
import { extendedSessionAnswer } from './answer.ts';

const OPERATION: Operation = {
  id: 'warmManagedSession',
  tag: 'Extensions',
  summary: 'Bring the process of a session back',
  description: 'Ahead of its next event. Answers when it is connected, or a turn is under way.',
  params: managedSessionParams,
  answers: { 200: { description: 'The session.', schema: extendedSessionAnswer } },
  errors: ['not_found', 'session_not_found', 'session_archived', ...SESSION_ERRORS],
};

/** `POST /v1/sessions/:sessionId/roundhouse/warm`; a client that leaves gives up the wait. */
export function warmManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<ManagedSessionParams>(
    '/v1/sessions/:sessionId/roundhouse/warm',
    described(OPERATION),
    async (request, reply) => {
      const { sessionId } = request.params;
      const signal = clientGoneSignal(reply.raw);
      return toSession(await catalog.extensions.warm(request.tenant, sessionId, signal));
    },
  );
}
