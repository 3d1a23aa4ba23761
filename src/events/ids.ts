import { randomBytes, randomUUID } from 'node:crypto';

/** 120 random bits in base 36, as the wire ids of the Managed Agents API look like. */
function token(): string {
  return BigInt(`0x${randomBytes(15).toString('hex')}`)
    .toString(36)
    .padStart(24, '0');
}

/** Ids that we mint. The prefix says what it names; the rest means nothing. */
export const newSessionId = (): string => `sesn_${token()}`;
export const newEventId = (): string => `sevt_${token()}`;
export const newTurnId = (): string => `turn_${token()}`;
/** An agent of the catalog: what sessions are made of, not a process. */
export const newAgentId = (): string => `agent_${token()}`;
export const newEnvironmentId = (): string => `env_${token()}`;
/** A file in a session's workspace. */
export const newResourceId = (): string => `sesrsc_${token()}`;
/** A file that a client has sent. Also its name on disk. */
export const newFileId = (): string => `file_${token()}`;
/** One attachment of a process to a session. Also the name of the process's folder and its mark: letters, digits, `_`. */
export const newClientId = (): string => `clnt_${token()}`;
/** The agent's own id of a conversation; Claude Code wants a UUID. */
export const newAgentSessionId = (): string => randomUUID();
/** One caller's view of a turn; only logs show it. */
export const newHandleId = (): string => `hndl_${token()}`;
