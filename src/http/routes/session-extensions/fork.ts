import type { FastifyInstance } from 'fastify';
import {
  parseSessionFork,
  sessionForkSchema,
} from '../../../dialects/managed-agents/session-fork.ts';
import { toSession } from '../../../dialects/managed-agents/sessions.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { clientGoneSignal } from '../../client-presence.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { managedSessionParams, type ManagedSessionParams } from '../v1-sessions/params.ts';
import { extendedSessionAnswer } from './answer.ts';

const OPERATION: Operation = {
  id: 'forkSession',
  tag: 'Extensions',
  summary: 'Fork a session',
  description:
    'Makes a session that knows what the other one did up to an event, at a complete point. From then on neither hears of the other. It waits for its clone, as a new session does.',
  params: managedSessionParams,
  body: { schema: sessionForkSchema, example: { event_id: 'sevt_01' } },
  answers: { 200: { description: 'The new session.', schema: extendedSessionAnswer } },
  errors: [
    'not_found',
    'session_not_found',
    'session_busy',
    'session_limit_reached',
    'environment_archived',
    'unsupported_field',
    'workspace_not_allowed',
    'workspace_unavailable',
    'pool_disabled',
    'draining',
  ],
};

/** `POST /v1/sessions/:sessionId/roundhouse/fork`: a session of its own that begins as a copy, unless the client leaves before it is there. */
export function forkSessionRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.post<ManagedSessionParams>(
    '/v1/sessions/:sessionId/roundhouse/fork',
    described(OPERATION),
    async (request, reply) => {
      const fork = parseSessionFork(request.body);
      const { sessionId } = request.params;
      const signal = clientGoneSignal(reply.raw);
      return toSession(await catalog.sessions.fork(request.tenant, sessionId, fork, signal));
    },
  );
}
