import type { McpHttpServerConfig, Options } from '@anthropic-ai/claude-agent-sdk';

import type { AgentOptions } from '../../contracts/agent-driver.ts';
import type { OpenedTools } from '../../contracts/tool-endpoint.ts';
import { CLIENT_SERVER, mcpToolName, serversByAlias } from '../../contracts/tool-names.ts';

/**
 * How long a call of a client's tool may be held: as long as the agent's timer can count, 24 days. Without a limit of its own
 * a call is given up after five minutes, whatever its line shows (measured).
 */
const HOLD_LIMIT_MS = 2_147_483_647;

/** The servers that a process connects to, its client's tools among them. */
export function mcpServers(
  options: AgentOptions,
  clientTools: OpenedTools | undefined,
): NonNullable<Options['mcpServers']> {
  const servers: Record<string, McpHttpServerConfig> = {};
  if (clientTools !== undefined) {
    const { url, token } = clientTools;
    const headers = { authorization: `Bearer ${token}` };
    servers[CLIENT_SERVER] = { ...atOnce(url), headers, timeout: HOLD_LIMIT_MS };
  }
  for (const [alias, server] of serversByAlias(options)) {
    const policies = [server.defaultPolicy, ...server.tools.map(({ policy }) => policy)];
    // One without a single tool has no use.
    if (policies.some((policy) => policy !== 'disabled')) servers[alias] = atOnce(server.url);
  }
  return servers;
}

/** Tools of MCP servers that are known not to be there for the model, in Claude Code's words. */
export function disabledMcpTools(options: AgentOptions): string[] {
  return [...serversByAlias(options)].flatMap(([alias, { tools }]) =>
    tools.flatMap(({ name, policy }) => (policy === 'disabled' ? mcpToolName(alias, name) : [])),
  );
}

/** Its tools stand in the first request: a start waits for them, 5 s at most. */
function atOnce(url: string): McpHttpServerConfig {
  return { type: 'http', url, alwaysLoad: true };
}
