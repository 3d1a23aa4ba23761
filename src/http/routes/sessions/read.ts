import type { FastifyInstance } from 'fastify';
import type { AppDependencies } from '../../deps.ts';
import { sessionNotFound } from './not-found.ts';
import { sessionNameIn } from './params.ts';
import type { SessionParams } from './params.ts';

/** `GET /sessions/:sessionId`: state, use and age of a session. */
export function readSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.get<SessionParams>('/sessions/:sessionId', async (request) => {
    const name = sessionNameIn(request);
    const info = await pool.getSessionInfo(request.tenant, name);
    if (info === undefined) throw sessionNotFound(name);
    return info;
  });
}
