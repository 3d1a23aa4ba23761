import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { toAgent } from '../../../dialects/managed-agents/agents.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { beta } from '../../page-query.ts';
import { parseQuery, wholeNumber } from '../../query.ts';
import type { AgentParams } from './params.ts';

const querySchema = z.strictObject({
  ...beta,
  version: wholeNumber(1, Number.MAX_SAFE_INTEGER).optional(),
});

/** `GET /v1/agents/:agentId`: the agent as it is now, or as it was at `version`. */
export function readAgentRoute(app: FastifyInstance, { catalog }: CatalogDependencies): void {
  app.get<AgentParams>('/v1/agents/:agentId', async (request) => {
    const { version } = parseQuery(querySchema, request.query);
    return toAgent(await catalog.agents.get(request.tenant, request.params.agentId, version));
  });
}
