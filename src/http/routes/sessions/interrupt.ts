import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { sessionNameIn, sessionParams } from './params.ts';
import type { SessionParams } from './params.ts';

const OPERATION: Operation = {
  id: 'interruptSession',
  tag: 'Sessions by name',
  summary: 'Interrupt the running turn',
  description: 'The conversation goes on. Answers when the turn has ended.',
  params: sessionParams,
  answers: {
    200: {
      description: '`interrupted` is false when nothing ran.',
      schema: z.object({ name: z.string(), interrupted: z.boolean() }),
    },
  },
  errors: ['session_not_found'],
};

/** `POST /sessions/:sessionId/interrupt`: ends the running turn; the conversation goes on. Answers when it has ended. */
export function interruptSessionRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.post<SessionParams>(
    '/sessions/:sessionId/interrupt',
    described(OPERATION),
    async (request) => {
      const name = sessionNameIn(request);
      return { name, interrupted: await pool.interruptSession(request.tenant, name) };
    },
  );
}
