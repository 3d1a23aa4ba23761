/** Parameters of every route on one agent. */
export interface AgentParams {
  Params: { agentId: string };
}
