import { z } from 'zod';
import { checkSessionName, SESSION_NAME_PATTERN } from '../../session-name.ts';

/** Parameters of every route on one session. */
export interface SessionParams {
  Params: { sessionId: string };
}

/** The same, described. */
export const sessionParams = z.object({
  sessionId: z.string().regex(SESSION_NAME_PATTERN).describe('The name of the session.'),
});

/** The session's name in the path, checked. */
export function sessionNameIn(request: { params: { sessionId: string } }): string {
  return checkSessionName(request.params.sessionId, 'the path');
}
