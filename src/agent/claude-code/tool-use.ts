import type {
  BetaManagedAgentsAgentCustomToolUseEvent,
  BetaManagedAgentsAgentMCPToolUseEvent,
  BetaManagedAgentsAgentToolUseEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions';

import type { ToolKind } from '../../contracts/tool-names.ts';
import type { ToolPermission } from '../../contracts/tool-permission.ts';

type ToolUse =
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
 * A call in the words of the API, and what will show its result. Clients run what they see as `agent.custom_tool_use`. So one
 * of the client's tools that the client is not asked about, or with an input that it can't take, is a call that was refused.
 */
export function toolUse(
  { name: agentName, ...call }: Call,
  { kindOf, problemOf }: ToolFacts,
  permission: ToolPermission,
): { readonly body: ToolUse; readonly resultBy: ResultShownBy } {
  const tool = kindOf(agentName);
  if (tool.kind === 'own') {
    const which = { name: agentName, ...evaluated(permission) };
    return { body: { ...call, type: 'agent.tool_use', ...which }, resultBy: 'agent.tool_result' };
  }
  const { name } = tool;
  if (tool.kind === 'mcp') {
    const which = { mcp_server_name: tool.server, name, ...evaluated(permission) };
    return {
      body: { ...call, type: 'agent.mcp_tool_use', ...which },
      resultBy: 'agent.mcp_tool_result',
    };
  }
  if (permission !== 'deny' && problemOf(tool.alias, call.input) === undefined)
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

/** What is known of the leave for a call, and by which policy; a refusal is by none. */
function evaluated(
  permission: ToolPermission,
): Pick<BetaManagedAgentsAgentMCPToolUseEvent, 'evaluated_permission' | 'evaluation'> {
  switch (permission) {
    case undefined:
      return {};
    case 'allow':
      return { evaluated_permission: 'allow', evaluation: { type: 'always_allow' } };
    case 'ask':
      return { evaluated_permission: 'ask', evaluation: { type: 'always_ask' } };
    case 'deny':
      return { evaluated_permission: 'deny' };
    default:
      return permission satisfies never;
  }
}
