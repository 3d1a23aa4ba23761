import type { AgentDefinition } from './agent.ts';

type Tool = AgentDefinition['tools'][number];
type Toolset = Extract<Tool, { type: 'agent_toolset_20260401' }>;

/** The API's name of a tool of `agent_toolset_20260401`. */
export type OwnToolName = Toolset['configs'][number]['name'];

type Input = Readonly<Record<string, unknown>>;

/** One of Claude Code's own tools, as the API has it. */
interface OwnTool {
  readonly name: OwnToolName;
  /** What Claude Code calls it. */
  readonly agentName: string;
  /** What the API calls a field of its input, where that differs; the others are the same, or the tool's own. */
  readonly input?: (input: Input) => Input;
}

/** The tools of the API's toolset and what they are here, both ways. Their order is the order of a plan. */
export const OWN_TOOLS: readonly OwnTool[] = [
  { name: 'bash', agentName: 'Bash', input: bashInput },
  { name: 'read', agentName: 'Read', input: readInput },
  { name: 'write', agentName: 'Write' },
  { name: 'edit', agentName: 'Edit' },
  { name: 'glob', agentName: 'Glob' },
  { name: 'grep', agentName: 'Grep' },
  { name: 'web_fetch', agentName: 'WebFetch' },
  { name: 'web_search', agentName: 'WebSearch' },
];

const BY_AGENT_NAME = new Map(OWN_TOOLS.map((tool) => [tool.agentName, tool]));

/** A call of one of Claude Code's tools in the words of the API. One that the API does not have stays as it is. */
export function toApiCall(agentName: string, input: Input): { name: string; input: Input } {
  const tool = BY_AGENT_NAME.get(agentName);
  if (tool === undefined) return { name: agentName, input };
  return { name: tool.name, input: tool.input?.(input) ?? input };
}

function bashInput({ timeout, ...rest }: Input): Input {
  return timeout === undefined ? rest : { ...rest, timeout_ms: timeout };
}

/** From a first line and a number of lines to both lines, counted from 1; the API's -1 is the end of the file. */
function readInput({ offset, limit, ...rest }: Input): Input {
  if (offset === undefined && limit === undefined) return rest;
  const first = typeof offset === 'number' ? offset : 1;
  return { ...rest, view_range: [first, typeof limit === 'number' ? first + limit - 1 : -1] };
}
