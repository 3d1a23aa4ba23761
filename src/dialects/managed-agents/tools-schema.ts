import { z } from 'zod';
import { distinct } from './common-schema.ts';
import { AGENT_FIELDS } from './fields.ts';
import { refusal, refusedField } from './parse-body.ts';

/** Named tools of one MCP server; no more than an agent's tools altogether. */
const MAX_CONFIGS = 256;

/** How deep the schema of a custom tool's input may be nested: it is walked and written by recursion. */
const MAX_DEPTH = 100;

/** The three kinds of entries in an agent's `tools`. What comes out has every default filled in, as answers show it. */

const policy = z.strictObject({
  type: z
    .enum(['always_allow', 'always_ask', 'auto'])
    .refine((type) => type !== 'auto', refusal(AGENT_FIELDS['tools.*.permission_policy.auto'])),
});

type Policy = z.output<typeof policy>;

/** Null is as good as absent: the default holds. */
const setting = { enabled: z.boolean().nullish(), permission_policy: policy.nullish() };

interface Setting {
  readonly enabled?: boolean | null | undefined;
  readonly permission_policy?: Policy | null | undefined;
}

function resolved(given: Setting | null | undefined, base: { enabled: boolean; policy: Policy }) {
  return {
    enabled: given?.enabled ?? base.enabled,
    permission_policy: given?.permission_policy ?? base.policy,
  };
}

/** The settings of one of the agent's own tools; generic, so that name and type stay one literal. */
function ownTool<Name extends string>(tool: Name) {
  return z.strictObject({
    name: z.literal(tool),
    type: z.literal(tool).optional(),
    ...setting,
  });
}

function named<Name extends string>(tool: Name) {
  return ({ enabled, permission_policy }: Setting) => ({
    name: tool,
    type: tool,
    enabled,
    permission_policy,
  });
}

const domains = {
  allowed_domains: refusedField(AGENT_FIELDS['tools.*.configs.*.allowed_domains']),
  blocked_domains: refusedField(AGENT_FIELDS['tools.*.configs.*.blocked_domains']),
};

const ownToolConfig = z.discriminatedUnion('name', [
  ownTool('bash').transform(named('bash')),
  ownTool('read').transform(named('read')),
  ownTool('write').transform(named('write')),
  ownTool('edit').transform(named('edit')),
  ownTool('glob').transform(named('glob')),
  ownTool('grep').transform(named('grep')),
  ownTool('web_fetch')
    .extend({
      ...domains,
      max_content_tokens: refusedField(AGENT_FIELDS['tools.*.configs.*.max_content_tokens']),
      url_sources: refusedField(AGENT_FIELDS['tools.*.configs.*.url_sources']),
    })
    .transform((config) => ({ ...named('web_fetch')(config), url_sources: null })),
  ownTool('web_search')
    .extend({
      ...domains,
      user_location: refusedField(AGENT_FIELDS['tools.*.configs.*.user_location']),
    })
    .transform(named('web_search')),
]);

const agentToolset = z
  .strictObject({
    type: z.literal('agent_toolset_20260401'),
    default_config: z.strictObject(setting).nullish(),
    configs: z.array(ownToolConfig).optional(),
  })
  .superRefine(({ configs = [] }, context) => {
    distinct(configs, 'name', ['configs'], context);
  })
  .transform(({ type, default_config, configs = [] }) => {
    const base = resolved(default_config, { enabled: true, policy: { type: 'always_allow' } });
    const under = { enabled: base.enabled, policy: base.permission_policy };
    return {
      type,
      default_config: base,
      configs: configs.map((config) => ({ ...config, ...resolved(config, under) })),
    };
  });

const mcpToolset = z
  .strictObject({
    type: z.literal('mcp_toolset'),
    mcp_server_name: z.string().min(1).max(255),
    default_config: z.strictObject(setting).nullish(),
    configs: z
      .array(z.strictObject({ name: z.string().min(1).max(128), ...setting }))
      .max(MAX_CONFIGS)
      .optional(),
  })
  .superRefine(({ configs = [] }, context) => {
    distinct(configs, 'name', ['configs'], context);
  })
  .transform(({ type, mcp_server_name, default_config, configs = [] }) => {
    // Asking is the API's default for tools that somebody else wrote.
    const base = resolved(default_config, { enabled: true, policy: { type: 'always_ask' } });
    const under = { enabled: base.enabled, policy: base.permission_policy };
    return {
      type,
      mcp_server_name,
      default_config: base,
      configs: configs.map((config) => ({ name: config.name, ...resolved(config, under) })),
    };
  });

const customTool = z.strictObject({
  type: z.literal('custom'),
  name: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,128}$/, 'expected 1 to 128 letters, digits, underscores or hyphens'),
  description: z.string(),
  input_schema: z
    .looseObject({
      type: z.literal('object'),
      properties: z.record(z.string(), z.unknown()).nullable().exactOptional(),
      required: z.array(z.string()).nullable().exactOptional(),
    })
    .refine((schema) => isNestedAtMost(schema, MAX_DEPTH), `expected at most ${MAX_DEPTH} levels`),
});

export const tool = z
  .discriminatedUnion('type', [agentToolset, mcpToolset, customTool])
  .meta({ id: 'AgentToolParams' });

function isNestedAtMost(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((each) => isNestedAtMost(each, levels - 1));
}
