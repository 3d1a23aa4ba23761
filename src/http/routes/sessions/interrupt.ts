import type { FastifyInstance } from 'fastify';
import type { AppDependencies } from '../../deps.ts';
import { sessionNameIn } from './params.ts';
import type { SessionParams } from './params.ts';

/** `POST /sessions/:sessionId/interrupt`: ends the running turn; the conversation goes on. Answers when it has ended. */
export function interruptSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.post<SessionParams>('/sessions/:sessionId/interrupt', async (request) => {
    const name = sessionNameIn(request);
    return { name, interrupted: await pool.interruptSession(request.tenant, name) };
  });
}
