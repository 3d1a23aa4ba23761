import type { FastifyInstance } from 'fastify';
import { parseAgentUpdate, toAgent } from '../../../dialects/managed-agents/agents.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import type { AgentParams } from './params.ts';

/** `POST /v1/agents/:agentId`: a patch. The agent gets a new version when it changes anything. */
export function updateAgentRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.post<AgentParams>('/v1/agents/:agentId', async (request) => {
    const { apply, expectedVersion } = parseAgentUpdate(request.body, options);
    const { agentId } = request.params;
    return toAgent(await catalog.agents.update(request.tenant, agentId, apply, expectedVersion));
  });
}
