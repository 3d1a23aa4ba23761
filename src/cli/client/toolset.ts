import type { BetaManagedAgentsAgentToolset20260401Params } from '@anthropic-ai/sdk/resources/beta/agents/agents';

import { UsageError } from '../usage-error.ts';

/** The agent's own tools, by the names of the API. */
const TOOLS = ['bash', 'read', 'write', 'edit', 'glob', 'grep', 'web_fetch', 'web_search'] as const;

type ToolName = (typeof TOOLS)[number];

/** Flags that choose tools. */
export interface ToolFlags {
  /** Tools that run without leave, `all` or `none`. */
  readonly tools?: string;
  /** Tools that wait for leave, `all` or `none`. */
  readonly ask?: string;
}

/**
 * The toolset that the flags ask for: those of `--tools` and `--ask`, and no other; a tool of both waits for leave. Undefined
 * where neither flag was given. Throws {@link UsageError} for a tool that there is not.
 */
export function toolset({
  tools,
  ask,
}: ToolFlags): BetaManagedAgentsAgentToolset20260401Params | undefined {
  if (tools === undefined && ask === undefined) return undefined;
  const asked = names('--ask', ask);
  const allowed = names('--tools', tools).filter((name) => !asked.includes(name));
  return {
    type: 'agent_toolset_20260401',
    default_config: { enabled: false },
    configs: [
      ...allowed.map((name) => ({
        name,
        enabled: true,
        permission_policy: { type: 'always_allow' as const },
      })),
      ...asked.map((name) => ({
        name,
        enabled: true,
        permission_policy: { type: 'always_ask' as const },
      })),
    ],
  };
}

function names(flag: string, list: string | undefined): readonly ToolName[] {
  if (list === undefined || list === 'none') return [];
  if (list === 'all') return TOOLS;
  return list.split(',').map((text) => {
    const found = TOOLS.find((name) => name === text.trim());
    if (found !== undefined) return found;
    throw new UsageError(
      `${flag}: expected all, none, or some of ${TOOLS.join(',')}, got ${JSON.stringify(text)}.`,
    );
  });
}
