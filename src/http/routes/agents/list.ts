import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { agentAnswer } from '../../../dialects/managed-agents/agent-answer.ts';
import { toAgent } from '../../../dialects/managed-agents/agents.ts';
import { pageOf } from '../../../dialects/managed-agents/common-schema.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { includeArchived, moment, page } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery } from '../../query.ts';

const querySchema = z.strictObject({
  ...page,
  include_archived: includeArchived,
  'created_at[gte]': moment,
  'created_at[lte]': moment,
});

const OPERATION: Operation = {
  id: 'listAgents',
  tag: 'Agents',
  summary: 'List agents',
  description: 'Those of the key, newest first.',
  query: querySchema,
  answers: { 200: { description: 'A page of agents.', schema: pageOf(agentAnswer) } },
};

/** `GET /v1/agents`: the key's agents, newest first. */
export function listAgentsRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get(
    '/v1/agents',
    described(OPERATION),
    async (request): Promise<PageBody<BetaManagedAgentsAgent>> => {
      const query = parseQuery(querySchema, request.query);
      const { items, next } = await catalog.agents.list(request.tenant, {
        limit: query.limit,
        after: query.page,
        includeArchived: query.include_archived,
        createdFrom: query['created_at[gte]'],
        createdTo: query['created_at[lte]'],
      });
      return { data: items.map(toAgent), next_page: next };
    },
  );
}
