import type { AgentDefinition } from '../../definitions/agent.ts';
import { RoundhouseError } from '../../errors.ts';
import { MAX_TOOLS } from './agent-schema.ts';

type Tool = AgentDefinition['tools'][number];

/** Tools that the agent toolset stands for. */
const OWN_TOOLS = 8;

/**
 * Throws `invalid_request` unless what must hold between the fields of an agent does, whichever requests they came with:
 * every MCP server has a toolset and every toolset a server, nothing stands there twice, and there are not too many tools.
 */
export function checkRelations({
  tools,
  mcp_servers: servers,
}: Pick<AgentDefinition, 'tools' | 'mcp_servers'>): void {
  const mistakes = [
    ...repeated(tools.map(identity)).map(
      (index) => `tools.${index}: expected ${identity(tools[index])} once`,
    ),
    ...repeated(servers.map(({ name }) => name)).map(
      (index) => `mcp_servers.${index}.name: expected a different name for each server`,
    ),
    ...toolsetsWithoutServer(tools, servers),
    ...serversWithoutToolset(tools, servers),
  ];
  const count = tools.reduce((sum, tool) => sum + toolCount(tool), 0);
  if (count > MAX_TOOLS) mistakes.push(`tools: expected at most ${MAX_TOOLS} tools, got ${count}`);
  if (mistakes.length > 0)
    throw new RoundhouseError('invalid_request', mistakes.slice(0, 5).join('; '));
}

function toolsetsWithoutServer(
  tools: readonly Tool[],
  servers: AgentDefinition['mcp_servers'],
): string[] {
  return tools.flatMap((tool, index) => {
    if (tool.type !== 'mcp_toolset') return [];
    if (servers.some(({ name }) => name === tool.mcp_server_name)) return [];
    return `tools.${index}.mcp_server_name: expected the name of one of mcp_servers, got ${JSON.stringify(tool.mcp_server_name)}`;
  });
}

function serversWithoutToolset(
  tools: readonly Tool[],
  servers: AgentDefinition['mcp_servers'],
): string[] {
  const used = tools.flatMap((tool) => (tool.type === 'mcp_toolset' ? tool.mcp_server_name : []));
  return servers.flatMap(({ name }, index) =>
    used.includes(name)
      ? []
      : `mcp_servers.${index}.name: expected an mcp_toolset in tools that names ${JSON.stringify(name)}`,
  );
}

/** Where something stands that stood there before. */
function repeated(names: readonly string[]): number[] {
  return names.flatMap((name, index) => (names.indexOf(name) === index ? [] : index));
}

/** What there can be one of in a list of tools. */
function identity(tool: Tool | undefined): string {
  switch (tool?.type) {
    case 'mcp_toolset':
      return `mcp_toolset ${JSON.stringify(tool.mcp_server_name)}`;
    case 'custom':
      return `custom tool ${JSON.stringify(tool.name)}`;
    default:
      return 'agent_toolset_20260401';
  }
}

/** What an MCP server offers is not known before it is asked; its named tools are. */
function toolCount(tool: Tool): number {
  switch (tool.type) {
    case 'agent_toolset_20260401':
      return OWN_TOOLS;
    case 'mcp_toolset':
      return tool.configs.length;
    case 'custom':
      return 1;
    default:
      return tool satisfies never;
  }
}
