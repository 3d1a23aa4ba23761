import type { FastifyInstance } from 'fastify';
import { parseAgentCreate, toAgent } from '../../../dialects/managed-agents/agents.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';

/** `POST /v1/agents`: defines an agent, at version 1. */
export function createAgentRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.post('/v1/agents', async (request) =>
    toAgent(await catalog.agents.create(request.tenant, parseAgentCreate(request.body, options))),
  );
}
