/** Parameters of every route on one session of the Managed Agents API: its id. */
export interface ManagedSessionParams {
  Params: { sessionId: string };
}
