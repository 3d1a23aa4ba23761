import { z } from 'zod';

/** Parameters of every route on one agent. */
export interface AgentParams {
  Params: { agentId: string };
}

/** The same, described. */
export const agentParams = z.object({ agentId: z.string().describe('`agent_…`') });
