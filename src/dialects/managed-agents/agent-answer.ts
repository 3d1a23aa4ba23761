import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';
import { z } from 'zod';
import { metadata, time } from './common-schema.ts';

/** What `toAgent` makes, as the document of the API shows it; narrower than the SDK's type by what this host never answers. */

const settings = {
  enabled: z.boolean(),
  permission_policy: z.object({ type: z.enum(['always_allow', 'always_ask']) }),
};

function ownTool<Name extends string>(tool: Name) {
  return z.object({ name: z.literal(tool), type: z.literal(tool), ...settings });
}

const ownToolConfig = z.discriminatedUnion('name', [
  ownTool('bash'),
  ownTool('read'),
  ownTool('write'),
  ownTool('edit'),
  ownTool('glob'),
  ownTool('grep'),
  ownTool('web_fetch').extend({ url_sources: z.null() }),
  ownTool('web_search'),
]);

const tool = z
  .discriminatedUnion('type', [
    z.object({
      type: z.literal('agent_toolset_20260401'),
      default_config: z.object(settings),
      configs: z.array(ownToolConfig),
    }),
    z.object({
      type: z.literal('mcp_toolset'),
      mcp_server_name: z.string(),
      default_config: z.object(settings),
      configs: z.array(z.object({ name: z.string(), ...settings })),
    }),
    z.object({
      type: z.literal('custom'),
      name: z.string(),
      description: z.string(),
      input_schema: z.looseObject({
        type: z.literal('object'),
        properties: z.record(z.string(), z.unknown()).nullable().exactOptional(),
        required: z.array(z.string()).nullable().exactOptional(),
      }),
    }),
  ])
  .meta({ id: 'AgentTool' });

/** What an agent is made of, with every default filled in. */
export const agentFields = {
  name: z.string(),
  description: z.string().nullable(),
  system: z.string().nullable(),
  model: z.object({
    id: z.string(),
    effort: z
      .object({ type: z.enum(['low', 'medium', 'high', 'xhigh', 'max']) })
      .exactOptional()
      .describe("Absent: the model's own default."),
    speed: z.literal('standard'),
  }),
  tools: z.array(tool),
  mcp_servers: z.array(z.object({ type: z.literal('url'), name: z.string(), url: z.string() })),
  skills: z.array(z.never()).describe('Always empty.'),
  multiagent: z.null(),
};

export const agentAnswer = z
  .object({
    type: z.literal('agent'),
    id: z.string().describe('`agent_…`'),
    version: z.int().min(1),
    created_at: time,
    updated_at: time.describe('When this version was made.'),
    archived_at: time.nullable(),
    ...agentFields,
    metadata,
    execution_identity: z.object({ type: z.literal('service_account') }),
  })
  .meta({ id: 'Agent' }) satisfies z.ZodType<BetaManagedAgentsAgent>;
