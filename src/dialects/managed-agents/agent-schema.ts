import { z } from 'zod';
import { metadata, metadataPatch, name } from './common-schema.ts';
import { AGENT_FIELDS } from './fields.ts';
import { isEmptyList, refusal, refusedField } from './parse-body.ts';
import { tool } from './tools-schema.ts';

/** Bodies of `POST /v1/agents` and `POST /v1/agents/{id}`. */

/** Of entries here, and of tools in all of them; see `checkRelations`. */
export const MAX_TOOLS = 256;
const MAX_MCP_SERVERS = 20;

const effort = z.enum(['low', 'medium', 'high', 'xhigh', 'max']);

const model = z.union([
  z.string().min(1),
  z.strictObject({
    id: z.string().min(1),
    effort: z.union([effort, z.strictObject({ type: effort })]).nullish(),
    inference_geo: refusedField(AGENT_FIELDS['model.inference_geo']),
    speed: z
      .enum(['standard', 'fast'])
      .nullish()
      .refine((speed) => speed !== 'fast', refusal(AGENT_FIELDS['model.speed'])),
  }),
]);

const mcpServer = z.strictObject({
  type: z.literal('url'),
  name: z.string().min(1).max(255),
  url: z.url({ protocol: /^https?$/, error: 'expected an http or https URL' }),
});

const description = z.string().max(2_048).nullish();
const system = z.string().max(100_000).nullish();
const tools = z.array(tool).max(MAX_TOOLS);
const mcpServers = z.array(mcpServer).max(MAX_MCP_SERVERS);

/** What this host has none of, alike in both bodies. */
const refusedFields = {
  skills: refusedField(AGENT_FIELDS.skills, isEmptyList),
  multiagent: refusedField(AGENT_FIELDS.multiagent),
  execution_identity: refusedField(AGENT_FIELDS.execution_identity, isServiceAccount),
};

export const agentCreateSchema = z.strictObject({
  name,
  model,
  description,
  system,
  tools: tools.optional(),
  mcp_servers: mcpServers.optional(),
  metadata: metadata.optional(),
  ...refusedFields,
});

export type AgentCreate = z.output<typeof agentCreateSchema>;

/** What of an agent a session may have of its own. */
export const agentOverrides = {
  model: model.optional(),
  system,
  tools: tools.optional(),
  mcp_servers: mcpServers.optional(),
  skills: refusedFields.skills,
};

export const agentUpdateSchema = z.strictObject({
  name: name.optional(),
  model: model.optional(),
  description,
  system,
  tools: tools.nullish(),
  mcp_servers: mcpServers.nullish(),
  metadata: metadataPatch.nullish(),
  version: z.number().int().min(1).optional(),
  ...refusedFields,
});

export type AgentUpdate = z.output<typeof agentUpdateSchema>;

function isServiceAccount(value: unknown): boolean {
  return serviceAccount.safeParse(value).success;
}

const serviceAccount = z.strictObject({ type: z.literal('service_account') });
