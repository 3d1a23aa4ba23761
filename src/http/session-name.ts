import { RoundhouseError } from '../errors.ts';

/** Names that callers give to sessions. */
export const SESSION_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Where a request can name its session. */
export interface SessionNameSources {
  readonly path?: string | undefined;
  readonly header?: string | undefined;
  readonly metadata?: string | undefined;
}

/** The name if it is well-formed, else `invalid_request` with the pattern. `where` says where it stood. */
export function checkSessionName(name: string, where: string): string {
  if (SESSION_NAME_PATTERN.test(name)) return name;
  throw new RoundhouseError(
    'invalid_request',
    `${where}: expected a session id of the form ${SESSION_NAME_PATTERN.source}, got ${JSON.stringify(name.slice(0, 140))}`,
  );
}

/** The one name that a request gives its session, or undefined without any. Two different names are an error. */
export function sessionNameOf(sources: SessionNameSources): string | undefined {
  const given = [
    { where: 'the path', name: sources.path },
    { where: 'x-session-id', name: sources.header },
    { where: 'metadata.session_id', name: sources.metadata },
  ].flatMap(({ where, name }) =>
    name === undefined ? [] : [{ where, name: checkSessionName(name, where) }],
  );
  const first = given[0];
  const other = given.find((each) => each.name !== first?.name);
  if (first !== undefined && other !== undefined) {
    throw new RoundhouseError(
      'invalid_request',
      `${first.where} names the session ${first.name} and ${other.where} names ${other.name}: expected one session; leave one of them out`,
    );
  }
  return first?.name;
}
