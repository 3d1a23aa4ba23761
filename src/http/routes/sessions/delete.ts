import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { sessionNotFound } from './not-found.ts';
import { sessionNameIn, sessionParams } from './params.ts';
import type { SessionParams } from './params.ts';

const OPERATION: Operation = {
  id: 'deleteSession',
  tag: 'Sessions by name',
  summary: 'Delete a session',
  description: 'Ends it for good: process, events, folders. Answers when they are gone.',
  params: sessionParams,
  answers: {
    200: {
      description: 'It is gone.',
      schema: z.object({ name: z.string(), deleted: z.literal(true) }),
    },
  },
  errors: ['session_not_found'],
};

/** `DELETE /sessions/:sessionId`: ends it for good, with its process, events and folders. Answers when they are gone. */
export function deleteSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.delete<SessionParams>('/sessions/:sessionId', described(OPERATION), async (request) => {
    const name = sessionNameIn(request);
    if (!(await pool.deleteSession(request.tenant, name))) throw sessionNotFound(name);
    return { name, deleted: true };
  });
}
