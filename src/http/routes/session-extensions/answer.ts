import { z } from 'zod';

/** A session, as far as the extensions say something of their own about it. */
export const extendedSessionAnswer = z.looseObject({
  type: z.literal('session'),
  id: z.string(),
  roundhouse: z.object({
    forked_from: z
      .object({ session_id: z.string(), event_id: z.string().nullable() })
      .nullable()
      .describe('Where a fork comes from; an event of null is the end of what was complete.'),
  }),
});
