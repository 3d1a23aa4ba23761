import type { BetaEnvironment } from '@anthropic-ai/sdk/resources/beta/environments/environments';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { toEnvironment } from '../../../dialects/managed-agents/environments.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { includeArchived, page } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery } from '../../query.ts';

const querySchema = z.strictObject({ ...page, include_archived: includeArchived });

/** `GET /v1/environments`: the key's environments, newest first. */
export function listEnvironmentsRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.get('/v1/environments', async (request): Promise<PageBody<BetaEnvironment>> => {
    const query = parseQuery(querySchema, request.query);
    const { items, next } = await catalog.environments.list(request.tenant, {
      limit: query.limit,
      after: query.page,
      includeArchived: query.include_archived,
    });
    return { data: items.map(toEnvironment), next_page: next };
  });
}
