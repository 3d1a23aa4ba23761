import type { FastifyInstance } from 'fastify';
import { SESSION_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import { sessionAnswer } from '../../../dialects/managed-agents/session-answer.ts';
import { sessionCreateSchema } from '../../../dialects/managed-agents/session-schema.ts';
import { parseSessionCreate, toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import { SESSION_ERRORS } from '../../openapi/error-codes.ts';
import { described, type Operation } from '../../openapi/operation.ts';

const OPERATION: Operation = {
  id: 'createManagedSession',
  tag: 'Sessions',
  summary: 'Create a session',
  description:
    'Of an agent, in an environment. It waits for no process: the first prompt starts one, unless a prepared one is ready. Where the environment gives it a clone it waits for that: its turn among the others, then at most 120 s.',
  body: {
    schema: sessionCreateSchema,
    notes: SESSION_FIELDS,
    example: {
      agent: 'agent_0000000000000000000000000',
      environment_id: 'env_0000000000000000000000000',
      initial_events: [{ type: 'user.message', content: [{ type: 'text', text: 'Hello' }] }],
    },
  },
  answers: { 200: { description: 'The session.', schema: sessionAnswer } },
  errors: [
    'unsupported_field',
    'model_not_found',
    'not_found',
    'file_expired',
    'agent_archived',
    'environment_archived',
    ...SESSION_ERRORS,
  ],
};

/**
 * `POST /v1/sessions`: makes a session of an agent, in an environment. Waits for no process; a client that leaves before it is
 * there has none.
 */
export function createManagedSessionRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.post('/v1/sessions', described(OPERATION), async (request, reply) => {
    const draft = parseSessionCreate(request.body, options);
    const signal = clientGoneSignal(reply.raw);
    return toSession(await catalog.sessions.create(request.tenant, draft, signal));
  });
}
