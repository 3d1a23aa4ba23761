import type { AgentOptions } from './agent-driver.ts';
import { toolKinds } from './tool-names.ts';

/** What the options alone say about a call of a tool; `undefined` leaves it to the agent. */
export type ToolPermission = 'allow' | 'ask' | 'deny' | undefined;

/**
 * What the options say about calls of a tool, by the agent's name of it. Nothing but the name counts, so it can be told before
 * a call is looked at, and again after its process has gone. `deny`: the tool is not there. To call a client's tool is to ask.
 */
export function toolPermission(options: AgentOptions, toolName: string): ToolPermission {
  const { tools, allowedTools, askFirst } = options;
  const tool = toolKinds(options)(toolName);
  if (tool.kind === 'client') return 'ask';
  if (tool.kind === 'mcp') return tool.policy === 'disabled' ? 'deny' : tool.policy;
  if (askFirst?.includes(toolName) === true) return 'ask';
  if (tools?.includes(toolName) === false) return 'deny';
  return allowedTools?.includes(toolName) === true ? 'allow' : undefined;
}
