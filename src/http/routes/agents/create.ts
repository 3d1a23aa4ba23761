import type { FastifyInstance } from 'fastify';
import { agentAnswer } from '../../../dialects/managed-agents/agent-answer.ts';
import { agentCreateSchema } from '../../../dialects/managed-agents/agent-schema.ts';
import { parseAgentCreate, toAgent } from '../../../dialects/managed-agents/agents.ts';
import { AGENT_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';

const OPERATION: Operation = {
  id: 'createAgent',
  tag: 'Agents',
  summary: 'Create an agent',
  description:
    'At version 1. One that could not run on this host is refused here, not when a session is made of it.',
  body: {
    schema: agentCreateSchema,
    notes: AGENT_FIELDS,
    example: { name: 'Coder', model: 'sonnet', tools: [{ type: 'agent_toolset_20260401' }] },
  },
  answers: { 200: { description: 'The agent.', schema: agentAnswer } },
  errors: ['unsupported_field', 'model_not_found'],
};

/** `POST /v1/agents`: defines an agent, at version 1. */
export function createAgentRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.post('/v1/agents', described(OPERATION), async (request) =>
    toAgent(await catalog.agents.create(request.tenant, parseAgentCreate(request.body, options))),
  );
}
