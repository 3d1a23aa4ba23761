import { RoundhouseError } from '../../../errors.ts';

/** What a session that does not exist, or is another key's, is answered with: the two can't be told apart. */
export function sessionNotFound(name: string): RoundhouseError {
  return new RoundhouseError(
    'session_not_found',
    `No session ${name} belongs to this key; POST /sessions/${name}/v1/messages makes it.`,
  );
}
