import { z } from 'zod';

/** The API by which a stream is asked for and read. */
export const streamKindSchema = z.enum(['messages', 'managed']);

export type StreamKind = z.output<typeof streamKindSchema>;

/** What a run of the client came to. */
export const runResultSchema = z.object({
  /** From the first request to the end of the last stream. */
  elapsedMs: z.number(),
  /** Events that arrived, on all streams. */
  events: z.number(),
  /** With stamped deltas: from making to receiving each, in ms. */
  delaysMs: z.array(z.number()),
});

export type RunResult = z.output<typeof runResultSchema>;
