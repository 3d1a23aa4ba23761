import { checkSessionName } from '../../session-name.ts';

/** Parameters of every route on one session. */
export interface SessionParams {
  Params: { sessionId: string };
}

/** The session's name in the path, checked. */
export function sessionNameIn(request: { params: { sessionId: string } }): string {
  return checkSessionName(request.params.sessionId, 'the path');
}
