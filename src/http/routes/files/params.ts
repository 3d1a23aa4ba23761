import { z } from 'zod';

/** Parameters of every route on one file. */
export interface FileParams {
  Params: { fileId: string };
}

/** The same, described. */
export const fileParams = z.object({ fileId: z.string().describe('`file_…`') });
