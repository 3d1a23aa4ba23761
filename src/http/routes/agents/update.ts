import type { FastifyInstance } from 'fastify';
import { agentAnswer } from '../../../dialects/managed-agents/agent-answer.ts';
import { agentUpdateSchema } from '../../../dialects/managed-agents/agent-schema.ts';
import { parseAgentUpdate, toAgent } from '../../../dialects/managed-agents/agents.ts';
import { AGENT_FIELDS } from '../../../dialects/managed-agents/fields.ts';
import type { CatalogDependencies } from '../../catalog-deps.ts';
import { described, type Operation } from '../../openapi/operation.ts';
import { agentParams } from './params.ts';
import type { AgentParams } from './params.ts';

const OPERATION: Operation = {
  id: 'updateAgent',
  tag: 'Agents',
  summary: 'Update an agent',
  description:
    'What is left out stays. It gets a new version when that changes anything; sessions that exist keep theirs.',
  params: agentParams,
  body: { schema: agentUpdateSchema, notes: AGENT_FIELDS, example: { system: 'Be brief.' } },
  answers: { 200: { description: 'The agent as it is now.', schema: agentAnswer } },
  errors: [
    'unsupported_field',
    'model_not_found',
    'not_found',
    'agent_archived',
    'version_conflict',
  ],
};

/** `POST /v1/agents/:agentId`: a patch. The agent gets a new version when it changes anything. */
export function updateAgentRoute(
  app: FastifyInstance,
  { catalog, options }: CatalogDependencies,
): void {
  app.post<AgentParams>('/v1/agents/:agentId', described(OPERATION), async (request) => {
    const { apply, expectedVersion } = parseAgentUpdate(request.body, options);
    const { agentId } = request.params;
    return toAgent(await catalog.agents.update(request.tenant, agentId, apply, expectedVersion));
  });
}
