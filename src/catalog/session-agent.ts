import type { AgentDefinition } from '../definitions/agent.ts';
import type { Kept } from '../definitions/kept.ts';
import type { SessionDefinition } from '../definitions/session.ts';

/** An agent as it stands with its session: what happens to the agent afterwards does not change it. */
export function snapshotOf({
  id,
  version,
  body: { name, description, system, model, tools, mcp_servers },
}: Pick<Kept<AgentDefinition>, 'id' | 'version' | 'body'>): SessionDefinition['agent'] {
  return {
    type: 'agent',
    id,
    version,
    name,
    description,
    system,
    model: { ...model, speed: 'standard' },
    tools,
    mcp_servers,
    skills: [],
    multiagent: null,
    execution_identity: { type: 'service_account' },
  };
}
