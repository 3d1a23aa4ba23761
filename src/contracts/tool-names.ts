import type { AgentOptions, McpServer, McpToolPolicy } from './agent-driver.ts';

/** What a tool of the agent is. */
export type ToolKind =
  | { readonly kind: 'own' }
  /** One that lives with the client. */
  | { readonly kind: 'client'; readonly name: string }
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
/** What remains for the tool's own name out of the 128 characters that models take. */
const MAX_ALIAS_LENGTH = 32;

/** Claude Code's name of a client's tool. */
export function clientToolName(name: string): string {
  return `${PREFIX}${CLIENT_SERVER}${SEPARATOR}${name}`;
}

/** Claude Code's name of a tool of an MCP server, by the server's alias. */
export function mcpToolName(alias: string, name: string): string {
  return `${PREFIX}${alias}${SEPARATOR}${plain(name)}`;
}

/**
 * The servers by the names that Claude Code knows them by: those of the options as far as they may be part of the name of a
 * tool, and different from each other. The same options give the same ones.
 */
export function serversByAlias({ mcpServers = [] }: AgentOptions): ReadonlyMap<string, McpServer> {
  const byAlias = new Map<string, McpServer>();
  for (const server of mcpServers) {
    const base = aliasOf(server.name);
    let alias = base;
    for (let n = 2; isTaken(alias); n += 1) alias = `${base}-${n}`;
    byAlias.set(alias, server);
  }
  return byAlias;

  function isTaken(alias: string): boolean {
    return alias === CLIENT_SERVER || RESERVED.includes(alias) || byAlias.has(alias);
  }
}

/** Tells tools apart by the names that Claude Code gives them. */
export function toolKinds(options: AgentOptions): (agentName: string) => ToolKind {
  const servers = serversByAlias(options);
  return (agentName) => {
    if (!agentName.startsWith(PREFIX)) return { kind: 'own' };
    const end = agentName.indexOf(SEPARATOR, PREFIX.length);
    if (end < 0) return { kind: 'own' };
    const alias = agentName.slice(PREFIX.length, end);
    const name = agentName.slice(end + SEPARATOR.length);
    if (alias === CLIENT_SERVER) return { kind: 'client', name };
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
    .slice(0, MAX_ALIAS_LENGTH)
    .replaceAll(/^_|_$/g, '');
  return alias === '' ? 'server' : alias;
}
