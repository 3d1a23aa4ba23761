import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../../deps.ts';
import { parseQuery, wholeNumber } from '../../query.ts';
import { modelInfo } from './model-info.ts';

/** Other parameters of the API (`beta`, `lifecycle`) change nothing here. */
const querySchema = z.object({
  limit: wholeNumber(1, 1000).optional(),
  after_id: z.string().optional(),
  before_id: z.string().optional(),
});

/** Models of a page, unless the caller says otherwise; the API's default. */
const DEFAULT_LIMIT = 20;

/** `GET /v1/models`: the configured models, in Anthropic's shape and with its paging. */
export function listModelsRoute(app: FastifyInstance, { options }: AppDependencies): void {
  app.get('/v1/models', (request) => {
    const query = parseQuery(querySchema, request.query);
    const { models } = options;
    const limit = query.limit ?? DEFAULT_LIMIT;
    const { start, end } = pageOf(models, limit, query.after_id, query.before_id);
    const page = models.slice(start, end);
    return {
      data: page.map(modelInfo),
      has_more: query.before_id === undefined ? end < models.length : start > 0,
      first_id: page[0] ?? null,
      last_id: page.at(-1) ?? null,
    };
  });
}

function pageOf(
  models: readonly string[],
  limit: number,
  after: string | undefined,
  before: string | undefined,
): { start: number; end: number } {
  if (before !== undefined) {
    const end = Math.max(0, models.indexOf(before));
    return { start: Math.max(0, end - limit), end };
  }
  const start = after === undefined ? 0 : models.indexOf(after) + 1;
  return { start, end: start + limit };
}
