import type { RoundhouseError } from '../../errors.ts';
import type { ErrorBody } from './wire.ts';

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
