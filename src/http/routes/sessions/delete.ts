import type { FastifyInstance } from 'fastify';
import type { AppDependencies } from '../../deps.ts';
import { sessionNotFound } from './not-found.ts';
import { sessionNameIn } from './params.ts';
import type { SessionParams } from './params.ts';

/** `DELETE /sessions/:sessionId`: ends it for good, with its process, events and folders. Answers when they are gone. */
export function deleteSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.delete<SessionParams>('/sessions/:sessionId', async (request) => {
    const name = sessionNameIn(request);
    if (!(await pool.deleteSession(request.tenant, name))) throw sessionNotFound(name);
    return { name, deleted: true };
  });
}
