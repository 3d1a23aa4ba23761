import type {
  BetaManagedAgentsAgentCustomToolUseEvent,
  BetaManagedAgentsAgentMCPToolUseEvent,
  BetaManagedAgentsAgentToolUseEvent,
  BetaManagedAgentsEventParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';

import type { FeedEvent } from './session-feed.ts';

/** A call that waits for its client: for leave, or for a result where the tool is the client's own. */
export type PendingCall =
  | BetaManagedAgentsAgentToolUseEvent
  | BetaManagedAgentsAgentMCPToolUseEvent
  | BetaManagedAgentsAgentCustomToolUseEvent;

/** What a client says to it. */
export type CallAnswer =
  | { readonly kind: 'allow' }
  | { readonly kind: 'deny'; readonly message: string | undefined }
  /** Of a tool of the client's own. */
  | { readonly kind: 'result'; readonly text: string; readonly isError: boolean };

/** Types of events that may wait for the client. */
export const CALL_TYPES = [
  'agent.tool_use',
  'agent.mcp_tool_use',
  'agent.custom_tool_use',
] as const;

export function isCall(event: FeedEvent): event is PendingCall {
  return CALL_TYPES.some((type) => type === event.type);
}

/** The answer as an event to send. A tool of the client's own that is denied has failed. */
export function answerEvent(call: PendingCall, answer: CallAnswer): BetaManagedAgentsEventParams {
  if (call.type !== 'agent.custom_tool_use') {
    const { id: tool_use_id } = call;
    if (answer.kind !== 'deny') {
      return { type: 'user.tool_confirmation', tool_use_id, result: 'allow' };
    }
    const deny_message = answer.message ?? null;
    return { type: 'user.tool_confirmation', tool_use_id, result: 'deny', deny_message };
  }
  const result =
    answer.kind === 'result' ? answer : { text: 'The user did not run this tool.', isError: true };
  return {
    type: 'user.custom_tool_result',
    custom_tool_use_id: call.id,
    content: [{ type: 'text', text: result.text }],
    is_error: result.isError,
  };
}
