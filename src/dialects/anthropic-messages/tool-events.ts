import type { EventDetail, SessionEvent } from '../../events/record.ts';
import type { AnswerBlock } from './wire.ts';

/** The server that the agent's own tools are said to be on; tools of an MCP server carry that server's name. */
const AGENT_TOOLS_SERVER = 'claude-code';
/** Longest tool input or result in a line of `x-agent-events: text`, in characters. */
const MAX_LINE_CHARS = 200;

/**
 * A tool use or result as a block of `x-agent-events: blocks`. They are `mcp_tool_use` and `mcp_tool_result`, which mean
 * "has been run on the server's side" and take any tool name: `tool_use` would ask the client for a result, and
 * `server_tool_use` has a closed list of names. The input stands in the block's start, whole, because the SDK's stable
 * accumulator adds up input deltas for the other two types only. Undefined for any other event.
 */
export function toolBlock(body: SessionEvent, detail: EventDetail): AnswerBlock | undefined {
  if (isToolUse(body)) {
    return {
      type: 'mcp_tool_use',
      id: detail.toolUseId ?? body.id,
      name: body.name,
      server_name: body.type === 'agent.mcp_tool_use' ? body.mcp_server_name : AGENT_TOOLS_SERVER,
      input: body.input,
    };
  }
  if (isToolResult(body)) {
    const answered = body.type === 'agent.tool_result' ? body.tool_use_id : body.mcp_tool_use_id;
    return {
      type: 'mcp_tool_result',
      tool_use_id: detail.toolUseId ?? answered,
      is_error: body.is_error === true,
      content: resultTexts(body).map((text) => ({ type: 'text', text, citations: null })),
    };
  }
  return undefined;
}

/** The same as a readable line of `x-agent-events: text`. Undefined for any other event. */
export function toolLine(body: SessionEvent): string | undefined {
  if (isToolUse(body)) return `\n[${body.name}] ${shorten(JSON.stringify(body.input))}\n`;
  if (!isToolResult(body)) return undefined;
  const outcome = body.is_error === true ? 'error' : 'result';
  return `\n[${outcome}] ${shorten(resultTexts(body).join(' '))}\n`;
}

type ToolUse = Extract<SessionEvent, { type: 'agent.tool_use' | 'agent.mcp_tool_use' }>;
type ToolResult = Extract<SessionEvent, { type: 'agent.tool_result' | 'agent.mcp_tool_result' }>;

function isToolUse(body: SessionEvent): body is ToolUse {
  return body.type === 'agent.tool_use' || body.type === 'agent.mcp_tool_use';
}

function isToolResult(body: SessionEvent): body is ToolResult {
  return body.type === 'agent.tool_result' || body.type === 'agent.mcp_tool_result';
}

/** The texts of a result; what is no text is named by its type. */
function resultTexts(body: ToolResult): string[] {
  return (body.content ?? []).map((part) => (part.type === 'text' ? part.text : `[${part.type}]`));
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= MAX_LINE_CHARS ? line : `${line.slice(0, MAX_LINE_CHARS - 1)}…`;
}
