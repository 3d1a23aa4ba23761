import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { agentAnswer } from '../../../dialects/managed-agents/agent-answer.ts';
import { toAgent } from '../../../dialects/managed-agents/agents.ts';
import { pageOf } from '../../../dialects/managed-agents/common-schema.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { page } from '../../page-query.ts';
import type { PageBody } from '../../page-query.ts';
import { parseQuery } from '../../query.ts';
import { agentParams } from './params.ts';
import type { AgentParams } from './params.ts';

const querySchema = z.strictObject(page);

const OPERATION: Operation = {
  id: 'listAgentVersions',
  tag: 'Agents',
  summary: 'List the versions of an agent',
  description: 'The agent at each of them, newest first.',
  params: agentParams,
  query: querySchema,
  answers: { 200: { description: 'A page of versions.', schema: pageOf(agentAnswer) } },
  errors: ['not_found'],
};

/** `GET /v1/agents/:agentId/versions`: the agent at each of its versions, newest first. */
export function listAgentVersionsRoute(
  app: FastifyInstance,
  { catalog }: CatalogDependencies,
): void {
  app.get<AgentParams>(
    '/v1/agents/:agentId/versions',
    described(OPERATION),
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
