import type { FastifyInstance } from 'fastify';
import { sessionAnswer } from '../../../dialects/managed-agents/session-answer.ts';
import { toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { PLACE_ERRORS } from '../../openapi/error-codes.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams } from './params.ts';
import type { ManagedSessionParams } from './params.ts';

const OPERATION: Operation = {
  id: 'archiveManagedSession',
  tag: 'Sessions',
  summary: 'Archive a session',
  description:
    'For good: it takes no more events, and can be read. Not while it runs; a turn that waits for its client ends.',
  params: managedSessionParams,
  answers: { 200: { description: 'The session, archived.', schema: sessionAnswer } },
  errors: ['not_found', 'session_busy', ...PLACE_ERRORS],
};

/** `POST /v1/sessions/:sessionId/archive`: it takes no more events, and can be read. */
export function archiveManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<ManagedSessionParams>(
    '/v1/sessions/:sessionId/archive',
    described(OPERATION),
    async (request) =>
      toSession(await catalog.sessions.archive(request.tenant, request.params.sessionId)),
  );
}
