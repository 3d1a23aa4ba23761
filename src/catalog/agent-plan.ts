import type { AgentOptions } from '../contracts/agent-driver.ts';
import type { AgentDefinition } from '../definitions/agent.ts';
import { RoundhouseError } from '../errors.ts';

type Tool = AgentDefinition['tools'][number];
type OfType<Type> = Extract<Tool, { type: Type }>;
type Toolset = OfType<'agent_toolset_20260401'>;
type OwnToolName = Toolset['configs'][number]['name'];

/** The API's names of the agent's own tools, and Claude Code's. Their order is the order of a plan. */
const OWN_TOOLS: readonly { readonly name: OwnToolName; readonly agentName: string }[] = [
  { name: 'bash', agentName: 'Bash' },
  { name: 'read', agentName: 'Read' },
  { name: 'write', agentName: 'Write' },
  { name: 'edit', agentName: 'Edit' },
  { name: 'glob', agentName: 'Glob' },
  { name: 'grep', agentName: 'Grep' },
  { name: 'web_fetch', agentName: 'WebFetch' },
  { name: 'web_search', agentName: 'WebSearch' },
];

/** How an agent runs on this host: what a process is started with, and what the session has to see to. */
export interface AgentPlan {
  /** Everything that a driver takes today. */
  readonly options: AgentOptions;
  /** The session's part, until drivers take it: nothing of it reaches a process through `options`. */
  readonly session: {
    /** Claude Code's names of own tools that wait for the client's leave: they are in `tools`, and not in `allowedTools`. */
    readonly askFirst: readonly string[];
    readonly effort: NonNullable<AgentDefinition['model']['effort']>['type'] | undefined;
    /** Each server with what of its tools is enabled and how. */
    readonly mcpServers: readonly {
      readonly name: string;
      readonly url: string;
      readonly toolset: OfType<'mcp_toolset'>;
    }[];
    /** Tools that the client runs. */
    readonly customTools: readonly OfType<'custom'>[];
  };
}

/** What of an agent decides how it runs. */
export type RunnableAgent = Pick<AgentDefinition, 'model' | 'system' | 'tools' | 'mcp_servers'>;

/**
 * The plan of an agent. Without the agent toolset it has none of Claude Code's own tools. `unsupported_field` when it
 * enables some and the operator has switched them off.
 */
export function planAgent(
  { model, system, tools, mcp_servers }: RunnableAgent,
  { ownTools }: { readonly ownTools: boolean },
): AgentPlan {
  const toolset = tools.find((tool): tool is Toolset => tool.type === 'agent_toolset_20260401');
  const enabled = toolset === undefined ? [] : enabledTools(toolset);
  if (enabled.length > 0 && !ownTools) {
    throw new RoundhouseError(
      'unsupported_field',
      `not supported by this server: tools.${tools.findIndex((tool) => tool === toolset)} (the agents' own tools are switched off; the operator can set agent.tools to on). Remove it, or disable its tools`,
    );
  }
  const names = (allowed: boolean): string[] =>
    enabled.flatMap((tool) => (tool.allowed === allowed ? tool.agentName : []));
  return {
    options: {
      model: model.id,
      ...(system !== null && { systemPrompt: { mode: 'replace', text: system } }),
      tools: enabled.map(({ agentName }) => agentName),
      allowedTools: names(true),
    },
    session: {
      askFirst: names(false),
      effort: model.effort?.type,
      mcpServers: mcp_servers.flatMap(({ name, url }) =>
        tools.flatMap((tool) =>
          tool.type === 'mcp_toolset' && tool.mcp_server_name === name
            ? { name, url, toolset: tool }
            : [],
        ),
      ),
      customTools: tools.flatMap((tool) => (tool.type === 'custom' ? tool : [])),
    },
  };
}

function enabledTools({
  default_config: base,
  configs,
}: Toolset): { agentName: string; allowed: boolean }[] {
  return OWN_TOOLS.flatMap(({ name, agentName }) => {
    const { enabled, permission_policy } = configs.find((config) => config.name === name) ?? base;
    return enabled ? { agentName, allowed: permission_policy.type === 'always_allow' } : [];
  });
}
