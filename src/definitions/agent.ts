import type { BetaManagedAgentsAgent } from '@anthropic-ai/sdk/resources/beta/agents/agents';

/**
 * What an agent is made of, in the form of the Managed Agents API with every default filled in. Fields of that API which
 * this host can't honour are not in it: they are refused where they come in.
 */
export type AgentDefinition = Pick<
  BetaManagedAgentsAgent,
  'name' | 'description' | 'system' | 'model' | 'tools' | 'mcp_servers' | 'metadata'
>;
