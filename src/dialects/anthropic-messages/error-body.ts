import { z } from 'zod';
import type { RoundhouseError } from '../../errors.ts';
import type { ErrorBody } from './wire.ts';

/** The form of {@link errorBody}. The code is open: the list in docs/errors.md grows. */
export const errorBodySchema = z
  .object({
    type: z.literal('error'),
    error: z.object({
      type: z.string().describe("Anthropic's name of the kind of error."),
      message: z.string().describe('What, expected, got, next step.'),
      details: z.object({ error_code: z.string().describe('Decide by this; see `x-errors`.') }),
    }),
    request_id: z.string(),
  })
  .meta({ id: 'Error' });

/** `error` in Anthropic's shape. The message is the error's own; its cause never shows. */
export function errorBody(error: RoundhouseError, requestId: string): ErrorBody {
  return {
    type: 'error',
    error: {
      type: error.kind.type,
      message: error.message,
      details: { error_code: error.code },
    },
    request_id: requestId,
  };
}
