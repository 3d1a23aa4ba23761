import type { FastifyInstance } from 'fastify';
import { clientGoneSignal } from '../../client-presence.ts';
import type { AppDependencies } from '../../deps.ts';
import { sessionNameIn } from './params.ts';
import type { SessionParams } from './params.ts';

/**
 * `POST /sessions/:sessionId/warm`: brings the process of a known session back ahead of its next prompt. Answers with the
 * session when a process is connected; a client that leaves gives up the wait.
 */
export function warmSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.post<SessionParams>('/sessions/:sessionId/warm', async (request, reply) =>
    pool.warm(request.tenant, sessionNameIn(request), clientGoneSignal(reply.raw)),
  );
}
