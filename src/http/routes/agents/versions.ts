import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { toAgent } from '../../../dialects/managed-agents/agents.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { page } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery } from '../../query.ts';
import type { AgentParams } from './params.ts';

const querySchema = z.strictObject(page);

/** `GET /v1/agents/:agentId/versions`: the agent at each of its versions, newest first. */
export function listAgentVersionsRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.get<AgentParams>(
    '/v1/agents/:agentId/versions',
    async (request): Promise<PageBody<BetaManagedAgentsAgent>> => {
      const query = parseQuery(querySchema, request.query);
      const { agentId } = request.params;
      const { items, next } = await catalog.agents.versions(request.tenant, agentId, {
        limit: query.limit,
        after: query.page,
      });
      return { data: items.map(toAgent), next_page: next };
    },
  );
}
