import type {
  BetaManagedAgentsAgentCustomToolUseEvent,
  BetaManagedAgentsAgentMCPToolUseEvent,
  BetaManagedAgentsAgentToolUseEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions';

import type { McpToolPolicy } from '../../contracts/agent-driver.ts';
import type { ToolKind } from '../../contracts/tool-names.ts';

/** The event of a call. */
export type ToolUse =
  | BetaManagedAgentsAgentCustomToolUseEvent
  | BetaManagedAgentsAgentMCPToolUseEvent
  | BetaManagedAgentsAgentToolUseEvent;

/** What the events of calls are made by. */
export interface ToolFacts {
  /** What a tool is, by the agent's name of it. */
  readonly kindOf: (agentName: string) => ToolKind;
  /** What is wrong with the input of a call of the client's tool; undefined when the client may see it. */
  readonly problemOf: (alias: string, input: unknown) => string | undefined;
}

/** What shows the result of a call: `client` is the client itself. */
export type ResultShownBy = 'agent.tool_result' | 'agent.mcp_tool_result' | 'client';

interface Call {
  readonly id: string;
  readonly processed_at: string;
  /** As the agent calls the tool. */
  readonly name: string;
  readonly input: Record<string, unknown>;
}

/**
 * A call in the words of the API, and what will show its result. One of the client's tools with an input that the client
 * can't take is one that was refused before any policy: clients run what they see as `agent.custom_tool_use`.
 */
export function toolUse(
  { name: agentName, ...call }: Call,
  { kindOf, problemOf }: ToolFacts,
): { readonly body: ToolUse; readonly resultBy: ResultShownBy } {
  const tool = kindOf(agentName);
  if (tool.kind === 'own') {
    const body = { ...call, type: 'agent.tool_use', name: agentName } as const;
    return { body, resultBy: 'agent.tool_result' };
  }
  const { name } = tool;
  if (tool.kind === 'mcp') {
    const { server, policy } = tool;
    const which = { mcp_server_name: server, name, ...permissionOf(policy) };
    return {
      body: { ...call, type: 'agent.mcp_tool_use', ...which },
      resultBy: 'agent.mcp_tool_result',
    };
  }
  if (problemOf(tool.alias, call.input) === undefined)
    return { body: { ...call, type: 'agent.custom_tool_use', name }, resultBy: 'client' };
  return {
    body: { ...call, type: 'agent.tool_use', name, evaluated_permission: 'deny' },
    resultBy: 'agent.tool_result',
  };
}

/** What shows the result of a call of a tool. */
export function resultOf({ kind }: ToolKind): ResultShownBy {
  if (kind === 'client') return 'client';
  return kind === 'own' ? 'agent.tool_result' : 'agent.mcp_tool_result';
}

function permissionOf(
  policy: McpToolPolicy,
): Pick<BetaManagedAgentsAgentMCPToolUseEvent, 'evaluated_permission' | 'evaluation'> {
  switch (policy) {
    case 'allow':
      return { evaluated_permission: 'allow', evaluation: { type: 'always_allow' } };
    case 'ask':
      return { evaluated_permission: 'ask', evaluation: { type: 'always_ask' } };
    case 'disabled':
      return { evaluated_permission: 'deny' };
    default:
      return policy satisfies never;
  }
}
