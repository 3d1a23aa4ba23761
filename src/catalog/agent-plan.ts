import type { AgentOptions, McpServer, McpToolPolicy } from '../contracts/agent-driver.ts';
import type { ClientTool } from '../contracts/tool-endpoint.ts';
import type { AgentDefinition } from '../definitions/agent.ts';
import { OWN_TOOLS } from '../definitions/own-tools.ts';
import { RoundhouseError } from '../errors.ts';

type Tool = AgentDefinition['tools'][number];
type OfType<Type> = Extract<Tool, { type: Type }>;
type Toolset = OfType<'agent_toolset_20260401'>;

/** What of an agent decides how it runs. */
export type RunnableAgent = Pick<AgentDefinition, 'model' | 'system' | 'tools' | 'mcp_servers'>;

/** What agents may have on this host. */
export interface AgentRules {
  /** Whether they may have Claude Code's own tools. */
  readonly ownTools: boolean;
  /** Why they may not connect to an MCP server at a URL; undefined when they may. */
  readonly mcpServerProblem: (url: string) => string | undefined;
  /** Why a tool can't be offered to them; undefined when it can. */
  readonly toolProblem: (tool: ClientTool) => Promise<string | undefined>;
}

/**
 * What the processes of an agent are started with on this host. Without the agent toolset it has none of Claude Code's own tools. `unsupported_field` for what is not
 * allowed, or can't be done, on this host; `invalid_request` for the schema of a tool that is none.
 */
export async function planAgent(
  { model, system, tools, mcp_servers }: RunnableAgent,
  rules: AgentRules,
): Promise<AgentOptions> {
  const toolset = tools.find((tool): tool is Toolset => tool.type === 'agent_toolset_20260401');
  const enabled = toolset === undefined ? [] : enabledTools(toolset);
  if (enabled.length > 0 && !rules.ownTools) {
    throw new RoundhouseError(
      'unsupported_field',
      `not supported by this server: tools.${tools.findIndex((tool) => tool === toolset)} (the agents' own tools are switched off; the operator can set agent.tools to on). Remove it, or disable its tools`,
    );
  }
  checkServers(mcp_servers, rules);
  const clientTools = await checkedCustomTools(tools, rules);
  const effort = model.effort?.type;
  const mcpServers = mcp_servers.flatMap((server) => mcpServer(server, tools));
  const names = (allowed: boolean): string[] =>
    enabled.flatMap((tool) => (tool.allowed === allowed ? tool.agentName : []));
  const askFirst = names(false);
  return {
    model: model.id,
    ...(system !== null && { systemPrompt: { mode: 'replace', text: system } }),
    tools: enabled.map(({ agentName }) => agentName),
    allowedTools: names(true),
    ...(askFirst.length > 0 && { askFirst }),
    ...(clientTools.length > 0 && { clientTools }),
    ...(mcpServers.length > 0 && { mcpServers }),
    ...(effort !== undefined && { effort }),
  };
}

function checkServers(servers: AgentDefinition['mcp_servers'], rules: AgentRules): void {
  for (const [index, { url }] of servers.entries()) {
    const problem = rules.mcpServerProblem(url);
    if (problem === undefined) continue;
    throw new RoundhouseError(
      'unsupported_field',
      `not supported by this server: mcp_servers.${index}.url (${problem}). Remove it`,
    );
  }
}

async function checkedCustomTools(
  tools: AgentDefinition['tools'],
  rules: AgentRules,
): Promise<ClientTool[]> {
  const clientTools: ClientTool[] = [];
  for (const [index, tool] of tools.entries()) {
    if (tool.type !== 'custom') continue;
    const { name, description, input_schema: schema } = tool;
    const clientTool = { name, description, inputSchema: { ...schema } };
    const problem = await rules.toolProblem(clientTool);
    if (problem !== undefined) {
      throw new RoundhouseError(
        'invalid_request',
        `tools.${index}.input_schema: expected a JSON Schema that can be checked against, got one that can not: ${problem}`,
      );
    }
    clientTools.push(clientTool);
  }
  return clientTools;
}

/** A server with what of its tools is enabled, and how. */
function mcpServer(
  { name, url }: AgentDefinition['mcp_servers'][number],
  tools: AgentDefinition['tools'],
): McpServer[] {
  return tools.flatMap((tool) => {
    if (tool.type !== 'mcp_toolset' || tool.mcp_server_name !== name) return [];
    const named = tool.configs.map((config) => ({ name: config.name, policy: policyOf(config) }));
    return [{ name, url, defaultPolicy: policyOf(tool.default_config), tools: named }];
  });
}

/** What is neither allowed nor off waits for leave. */
function policyOf({
  enabled,
  permission_policy: { type },
}: OfType<'mcp_toolset'>['default_config']): McpToolPolicy {
  if (!enabled) return 'disabled';
  return type === 'always_allow' ? 'allow' : 'ask';
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
