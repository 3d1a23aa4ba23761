import { z } from 'zod';

/** Parameters of every route on one session of the Managed Agents API: its id. */
export interface ManagedSessionParams {
  Params: { sessionId: string };
}

/** The same, described. */
export const managedSessionParams = z.object({ sessionId: z.string().describe('`sesn_…`') });
