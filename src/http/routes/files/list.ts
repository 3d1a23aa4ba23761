import type { BetaFileMetadata } from '@anthropic-ai/sdk/resources/beta/files';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { pageOf } from '../../../dialects/managed-agents/common-schema.ts';
import { fileAnswer, toFile } from '../../../dialects/managed-agents/files.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { beta, page } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery, wholeNumber } from '../../query.ts';

const DEFAULT_LIMIT = 20;
/** The Files API gives more on one page than the others do. */
const MAX_LIMIT = 1_000;
const MAX_IDS = 100;

const querySchema = z
  .strictObject({
    ...beta,
    limit: wholeNumber(1, MAX_LIMIT)
      .optional()
      .describe(`Items of a page; default ${DEFAULT_LIMIT}.`),
    page: page.page,
    // As the SDK writes a list.
    'ids[]': z
      .union([z.string().transform((id) => [id]), z.array(z.string())])
      .transform((ids) => [...new Set(ids)])
      .refine((ids) => ids.length <= MAX_IDS, `expected at most ${MAX_IDS} different ids`)
      .optional()
      .describe('Only these, on one page; repeated for several.'),
    ids: z.literal('').optional().describe("The SDK's null: no list of ids."),
    scope_id: z.string().max(300).optional().describe('No file has a scope here.'),
  })
  .refine((query) => query['ids[]'] === undefined || (query.limit ?? query.page) === undefined, {
    path: ['ids[]'],
    message: 'expected neither limit nor page beside it',
  });

const OPERATION: Operation = {
  id: 'listFiles',
  tag: 'Files',
  summary: 'List files',
  description: 'Those of the key, newest first; or those of a list of ids that are there.',
  query: querySchema,
  answers: { 200: { description: 'A page of files.', schema: pageOf(fileAnswer) } },
};

/** `GET /v1/files`: the key's files, newest first; or those of a list of ids that are there. */
export function listFilesRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get(
    '/v1/files',
    described(OPERATION),
    async (request): Promise<PageBody<BetaFileMetadata>> => {
      const query = parseQuery(querySchema, request.query);
      const { 'ids[]': among, scope_id: scope } = query;
      if (scope !== undefined) return { data: [], next_page: null };
      const { items, next } = await catalog.files.list(request.tenant, {
        limit: among === undefined ? (query.limit ?? DEFAULT_LIMIT) : MAX_IDS,
        after: query.page,
        among,
      });
      return { data: items.map(toFile), next_page: next };
    },
  );
}
