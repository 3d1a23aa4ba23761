import { z } from 'zod';

/** Parameters of every route on one environment. */
export interface EnvironmentParams {
  Params: { environmentId: string };
}

/** The same, described. */
export const environmentParams = z.object({ environmentId: z.string().describe('`env_…`') });
