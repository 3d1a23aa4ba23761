import type { FastifyInstance } from 'fastify';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { sessionInfoAnswer, type SessionInfoAnswer } from './answers.ts';
import { sessionNotFound } from './not-found.ts';
import { sessionNameIn, sessionParams } from './params.ts';
import type { SessionParams } from './params.ts';

const OPERATION: Operation = {
  id: 'getSession',
  tag: 'Sessions by name',
  summary: 'Retrieve a session',
  description: 'State, use, age, limits of its own.',
  params: sessionParams,
  answers: { 200: { description: 'The session.', schema: sessionInfoAnswer } },
  errors: ['session_not_found'],
};

/** `GET /sessions/:sessionId`: state, use and age of a session. */
export function readSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.get<SessionParams>(
    '/sessions/:sessionId',
    described(OPERATION),
    async (request): Promise<SessionInfoAnswer> => {
      const name = sessionNameIn(request);
      const info = await pool.getSessionInfo(request.tenant, name);
      if (info === undefined) throw sessionNotFound(name);
      return info;
    },
  );
}
