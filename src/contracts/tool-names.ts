import type { AgentOptions, McpServer, McpToolPolicy } from './agent-driver.ts';
import type { ClientTool } from './tool-endpoint.ts';

/** What a tool of the agent is. */
export type ToolKind =
  | { readonly kind: 'own' }
  /** One that lives with the client; `alias` is what it is called behind the prefix. */
  | { readonly kind: 'client'; readonly name: string; readonly alias: string }
  /** One of an MCP server. */
  | {
      readonly kind: 'mcp';
      readonly server: string;
      readonly name: string;
      readonly policy: McpToolPolicy;
    };

/** What stands before the name of every tool of an MCP server. */
const PREFIX = 'mcp__';
const SEPARATOR = '__';
/** The server that stands for the client. */
export const CLIENT_SERVER = 'client';
/** Claude Code keeps these names for itself: a server of that name is silently left out, or its tools are. */
const RESERVED: readonly string[] = ['ide', 'claude-in-chrome', 'computer-use', 'workspace'];
/** Room must remain for the name of the tool: models take 128 characters. */
const MAX_SERVER_ALIAS = 32;
const MAX_TOOL_ALIAS = 128 - `${PREFIX}${CLIENT_SERVER}${SEPARATOR}`.length;

/** Claude Code's name of a tool of an MCP server, by the server's alias. */
export function mcpToolName(alias: string, name: string): string {
  return `${PREFIX}${alias}${SEPARATOR}${plain(name)}`;
}

/**
 * The servers by the names that Claude Code knows them by: those of the options as far as they may be part of the name of a
 * tool, and different from each other. The same options give the same ones.
 */
export function serversByAlias({ mcpServers = [] }: AgentOptions): ReadonlyMap<string, McpServer> {
  return byAlias(mcpServers, aliasOf, [CLIENT_SERVER, ...RESERVED]);
}

/** The client's tools by the names that they have behind the prefix: their own, but for those that are too long for it. */
export function clientToolsByAlias({
  clientTools = [],
}: AgentOptions): ReadonlyMap<string, ClientTool> {
  const names = clientTools.map(({ name }) => name);
  return new Map([
    ...clientTools.filter((tool) => !isLong(tool)).map((tool) => [tool.name, tool] as const),
    // Room for a number behind it.
    ...byAlias(clientTools.filter(isLong), (name) => name.slice(0, MAX_TOOL_ALIAS - 4), names),
  ]);
}

function isLong({ name }: ClientTool): boolean {
  return name.length > MAX_TOOL_ALIAS;
}

function byAlias<T extends { readonly name: string }>(
  items: readonly T[],
  aliasFor: (name: string) => string,
  taken: readonly string[],
): Map<string, T> {
  const found = new Map<string, T>();
  for (const item of items) {
    const base = aliasFor(item.name);
    let alias = base;
    for (let n = 2; found.has(alias) || taken.includes(alias); n += 1) alias = `${base}-${n}`;
    found.set(alias, item);
  }
  return found;
}

/** Tells tools apart by the names that Claude Code gives them. */
export function toolKinds(options: AgentOptions): (agentName: string) => ToolKind {
  const servers = serversByAlias(options);
  const clientTools = clientToolsByAlias(options);
  return (agentName) => {
    if (!agentName.startsWith(PREFIX)) return { kind: 'own' };
    const end = agentName.indexOf(SEPARATOR, PREFIX.length);
    if (end < 0) return { kind: 'own' };
    const alias = agentName.slice(PREFIX.length, end);
    const name = agentName.slice(end + SEPARATOR.length);
    if (alias === CLIENT_SERVER)
      return { kind: 'client', name: clientTools.get(name)?.name ?? name, alias: name };
    const server = servers.get(alias);
    // Nobody has allowed what no options name.
    if (server === undefined) return { kind: 'mcp', server: alias, name, policy: 'ask' };
    const named = server.tools.find((tool) => plain(tool.name) === name);
    return {
      kind: 'mcp',
      server: server.name,
      name: named?.name ?? name,
      policy: named?.policy ?? server.defaultPolicy,
    };
  };
}

/** A name as Claude Code writes it into that of a tool. */
function plain(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9_-]/g, '_');
}

/** Without what would be taken for the end of the server's name, and not too long. */
function aliasOf(name: string): string {
  const alias = plain(name)
    .replaceAll(/_+/g, '_')
    .slice(0, MAX_SERVER_ALIAS)
    .replaceAll(/^_|_$/g, '');
  return alias === '' ? 'server' : alias;
}
