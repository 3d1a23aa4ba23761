import type { FastifyInstance } from 'fastify';
import { SESSION_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import { sessionAnswer } from '../../../dialects/managed-agents/session-answer.ts';
import { sessionUpdateSchema } from '../../../dialects/managed-agents/session-schema.ts';
import { parseSessionUpdate, toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { PLACE_ERRORS } from '../../openapi/error-codes.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams } from './params.ts';
import type { ManagedSessionParams } from './params.ts';

const OPERATION: Operation = {
  id: 'updateManagedSession',
  tag: 'Sessions',
  summary: 'Update a session',
  description:
    'What is left out stays; what changes holds from the next turn on. Readers are told by session.updated, with just what changed.',
  params: managedSessionParams,
  body: {
    schema: sessionUpdateSchema,
    notes: SESSION_FIELDS,
    example: { title: 'Order 1234', metadata: { team: 'a' } },
  },
  answers: { 200: { description: 'The session as it is now.', schema: sessionAnswer } },
  errors: [
    'unsupported_field',
    'not_found',
    'session_archived',
    'session_busy',
    'version_conflict',
    ...PLACE_ERRORS,
  ],
};

/** `POST /v1/sessions/:sessionId`: a patch, which holds from the next turn on. */
export function updateManagedSessionRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.post<ManagedSessionParams>(
    '/v1/sessions/:sessionId',
    described(OPERATION),
    async (request) => {
      const change = parseSessionUpdate(request.body);
      const { sessionId } = request.params;
      return toSession(await catalog.sessions.update(request.tenant, sessionId, change));
    },
  );
}
