import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { parseQuery, wholeNumberOr } from '../../query.ts';
import { sessionInfoAnswer } from './answers.ts';

const querySchema = z.strictObject({
  limit: wholeNumberOr(50, 1, 1000).describe('Sessions of a page.'),
  after: z.string().min(1).max(300).optional().describe('The `next` of the page before.'),
});

const OPERATION: Operation = {
  id: 'listSessions',
  tag: 'Sessions by name',
  summary: 'List sessions',
  description: 'Those of the key, newest first.',
  query: querySchema,
  answers: {
    200: {
      description: 'A page of sessions.',
      schema: z.object({
        data: z.array(sessionInfoAnswer),
        next: z.string().nullable().describe('The `after` of the next page.'),
      }),
    },
  },
};

/** `GET /sessions`: the key's sessions, newest first; `next` is the `after` of the next page. */
export function listSessionsRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.get('/sessions', described(OPERATION), async (request) => {
    const { limit, after } = parseQuery(querySchema, request.query);
    const page = await pool.listSessions(request.tenant, {
      limit,
      ...(after === undefined ? {} : { after }),
    });
    return { data: page.sessions, next: page.next };
  });
}
