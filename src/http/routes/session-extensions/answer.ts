import { z } from 'zod';
import { sessionOriginAnswer } from '../../../dialects/managed-agents/session-answer.ts';

/** A session, as far as the extensions say something of their own about it. */
export const extendedSessionAnswer = z.looseObject({
  type: z.literal('session'),
  id: z.string(),
  roundhouse: z.object({
    forked_from: sessionOriginAnswer.nullable().describe('Where a fork comes from.'),
  }),
});
