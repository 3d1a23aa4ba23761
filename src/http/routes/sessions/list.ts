import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../../deps.ts';
import { parseQuery, wholeNumber } from '../../query.ts';

const querySchema = z.strictObject({
  limit: wholeNumber(1, 1000).optional(),
  after: z.string().min(1).max(300).optional(),
});

const DEFAULT_LIMIT = 50;

/** `GET /sessions`: the key's sessions, newest first; `next` is the `after` of the next page. */
export function listSessionsRoute(app: FastifyInstance, { pool }: AppDependencies): void {
  app.get('/sessions', async (request) => {
    const { limit = DEFAULT_LIMIT, after } = parseQuery(querySchema, request.query);
    const page = await pool.listSessions(request.tenant, {
      limit,
      ...(after === undefined ? {} : { after }),
    });
    return { data: page.sessions, next: page.next };
  });
}
