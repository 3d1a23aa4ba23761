import type { FastifyInstance } from 'fastify';
import { clientGoneSignal } from '../../client-presence.ts';
import type { AppDependencies } from '../../deps.ts';
import { SESSION_ERRORS } from '../../openapi/error-codes.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { sessionInfoAnswer } from './answers.ts';
import { sessionNameIn, sessionParams } from './params.ts';
import type { SessionParams } from './params.ts';

const OPERATION: Operation = {
  id: 'warmSession',
  tag: 'Sessions by name',
  summary: 'Bring the process of a session back',
  description: 'Ahead of its next prompt. Answers when it is connected.',
  params: sessionParams,
  answers: { 200: { description: 'The session.', schema: sessionInfoAnswer } },
  errors: ['session_not_found', ...SESSION_ERRORS],
};

/**
 * `POST /sessions/:sessionId/warm`: brings the process of a known session back ahead of its next prompt. Answers with the
 * session when a process is connected; a client that leaves gives up the wait.
 */
export function warmSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.post<SessionParams>(
    '/sessions/:sessionId/warm',
    described(OPERATION),
    async (request, reply) =>
      pool.warm(request.tenant, sessionNameIn(request), clientGoneSignal(reply.raw)),
  );
}
