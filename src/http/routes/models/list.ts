import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { AppDependencies } from '../../deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { parseQuery, wholeNumberOr } from '../../query.ts';
import { modelAnswer, modelInfo } from './model-info.ts';

/** Models of a page, unless the caller says otherwise; the API's default. */
const DEFAULT_LIMIT = 20;

/** Other parameters of the API (`beta`, `lifecycle`) change nothing here. */
const querySchema = z.object({
  limit: wholeNumberOr(DEFAULT_LIMIT, 1, 1000).describe('Models of a page.'),
  after_id: z.string().optional().describe('Models behind this one.'),
  before_id: z.string().optional().describe('Models before this one.'),
});

const OPERATION: Operation = {
  id: 'listModels',
  tag: 'Models',
  summary: 'List models',
  query: querySchema,
  answers: {
    200: {
      description: 'A page of models.',
      schema: z.object({
        data: z.array(modelAnswer),
        has_more: z.boolean(),
        first_id: z.string().nullable(),
        last_id: z.string().nullable(),
      }),
    },
  },
};

/** `GET /v1/models`: the configured models, in Anthropic's shape and with its paging. */
export function listModelsRoute(app: FastifyInstance, { options }: AppDependencies): void {
  app.get('/v1/models', described(OPERATION), (request) => {
    const query = parseQuery(querySchema, request.query);
    const { models } = options;
    const { start, end } = pageOf(models, query.limit, query.after_id, query.before_id);
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
