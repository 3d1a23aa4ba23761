import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { agentAnswer } from '../../../dialects/managed-agents/agent-answer.ts';
import { toAgent } from '../../../dialects/managed-agents/agents.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { beta } from '../../page-query.ts';
import { parseQuery, wholeNumber } from '../../query.ts';
import { agentParams } from './params.ts';
import type { AgentParams } from './params.ts';

const querySchema = z.strictObject({
  ...beta,
  version: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
});

const OPERATION: Operation = {
  id: 'getAgent',
  tag: 'Agents',
  summary: 'Retrieve an agent',
  description: 'As it is now, or as it was at `version`.',
  params: agentParams,
  query: querySchema,
  answers: { 200: { description: 'The agent.', schema: agentAnswer } },
  errors: ['not_found'],
};

/** `GET /v1/agents/:agentId`: the agent as it is now, or as it was at `version`. */
export function readAgentRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get<AgentParams>('/v1/agents/:agentId', described(OPERATION), async (request) => {
    const { version } = parseQuery(querySchema, request.query);
    return toAgent(await catalog.agents.get(request.tenant, request.params.agentId, version));
  });
}
