/**
 * The states of a session in memory. `disconnected` is normal: there is no process, and the next turn resumes the
 * conversation. The table below is the whole truth about what may follow what; every change is held against it,
 * `docs/session-lifecycle.md` shows the same, and a test holds the two equal.
 */
export type SessionStatus =
  | 'disconnected'
  | 'connecting'
  | 'idle'
  | 'active'
  | 'interrupting'
  | 'error'
  | 'closing'
  | 'ended';

interface Transition {
  readonly to: SessionStatus;
  readonly when: string;
}

export const TRANSITIONS: Readonly<Record<SessionStatus, readonly Transition[]>> = {
  disconnected: [
    { to: 'connecting', when: 'somebody asks for the session, or a prompt waits' },
    { to: 'idle', when: 'the session is new and takes a prepared process' },
    { to: 'ended', when: 'the session is deleted or leaves memory' },
  ],
  connecting: [
    { to: 'idle', when: 'the process can take a prompt' },
    { to: 'error', when: 'every attempt to start a process failed' },
    {
      to: 'disconnected',
      when: 'no slot became free, nobody waits for it any more, or the session is archived',
    },
  ],
  idle: [
    { to: 'active', when: 'a prompt is about to be delivered, or a turn goes on' },
    {
      to: 'closing',
      when: 'the process is taken: eviction, idleness, time to live, recycling, memory pressure, other options, archiving, deletion, shutdown',
    },
    { to: 'error', when: 'the process ended by itself' },
    { to: 'ended', when: 'the session is withdrawn, and its process may serve another' },
  ],
  active: [
    {
      to: 'idle',
      when: 'the turn has ended and the process is usable, or it waits for its client',
    },
    { to: 'interrupting', when: 'a client, a limit or a leaving reader stops the turn' },
    {
      to: 'closing',
      when: 'the turn has ended and the process is not usable, or it goes on in another one',
    },
  ],
  interrupting: [
    { to: 'idle', when: 'the turn has ended in time' },
    { to: 'closing', when: 'the process died, or was destroyed because the deadline passed' },
  ],
  closing: [
    { to: 'disconnected', when: 'the process and everything it started are gone' },
    { to: 'error', when: 'the same, and the process had died by itself' },
  ],
  error: [
    { to: 'connecting', when: 'the back-off is over and somebody asks for the session' },
    { to: 'ended', when: 'the session is deleted or leaves memory' },
  ],
  ended: [],
};

/** Whether the table allows the step. */
export function mayFollow(from: SessionStatus, to: SessionStatus): boolean {
  return TRANSITIONS[from].some((transition) => transition.to === to);
}
