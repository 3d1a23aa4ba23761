import type { FastifyInstance } from 'fastify';
import { agentAnswer } from '../../../dialects/managed-agents/agent-answer.ts';
import { toAgent } from '../../../dialects/managed-agents/agents.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { agentParams } from './params.ts';
import type { AgentParams } from './params.ts';

const OPERATION: Operation = {
  id: 'archiveAgent',
  tag: 'Agents',
  summary: 'Archive an agent',
  description:
    'For good: it can not be changed any more, and nothing new begins with it. Archived again it stays as it is.',
  params: agentParams,
  answers: { 200: { description: 'The agent.', schema: agentAnswer } },
  errors: ['not_found'],
};

/** `POST /v1/agents/:agentId/archive`: for good. */
export function archiveAgentRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.post<AgentParams>('/v1/agents/:agentId/archive', described(OPERATION), async (request) =>
    toAgent(await catalog.agents.archive(request.tenant, request.params.agentId)),
  );
}
