import type { FastifyInstance } from 'fastify';
import { toAgent } from '../../../dialects/managed-agents/agents.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { AgentParams } from './params.ts';

/** `POST /v1/agents/:agentId/archive`: for good. */
export function archiveAgentRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.post<AgentParams>('/v1/agents/:agentId/archive', async (request) =>
    toAgent(await catalog.agents.archive(request.tenant, request.params.agentId)),
  );
}
