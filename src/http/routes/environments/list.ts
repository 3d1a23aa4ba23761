import type { BetaEnvironment } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { environmentAnswer } from '../../../dialects/managed-agents/environment-answer.ts';
import { toEnvironment } from '../../../dialects/managed-agents/environments.ts';
import { pageOf } from '../../../dialects/managed-agents/common-schema.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { includeArchived, page } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery } from '../../query.ts';

const querySchema = z.strictObject({ ...page, include_archived: includeArchived });

const OPERATION: Operation = {
  id: 'listEnvironments',
  tag: 'Environments',
  summary: 'List environments',
  description: 'Those of the key, newest first.',
  query: querySchema,
  answers: { 200: { description: 'A page of environments.', schema: pageOf(environmentAnswer) } },
};

/** `GET /v1/environments`: the key's environments, newest first. */
export function listEnvironmentsRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.get(
    '/v1/environments',
    described(OPERATION),
    async (request): Promise<PageBody<BetaEnvironment>> => {
      const query = parseQuery(querySchema, request.query);
      const { items, next } = await catalog.environments.list(request.tenant, {
        limit: query.limit,
        after: query.page,
        includeArchived: query.include_archived,
      });
      return { data: items.map(toEnvironment), next_page: next };
    },
  );
}
