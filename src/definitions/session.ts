import type {
  BetaManagedAgentsBudgetLimit,
  BetaManagedAgentsSessionAgent,
} from '@anthropic-ai/sdk/resources/beta/sessions/sessions';

/**
 * What a session of the catalog was made of, under the id of the session itself. What it does, and what that has cost, is
 * the session's own.
 */
export interface SessionDefinition {
  /** The agent as it was when the session was made, with what was laid over it then or since; as the API shows it. */
  readonly agent: BetaManagedAgentsSessionAgent;
  readonly environmentId: string;
  readonly title: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly resources: readonly SessionResource[];
  /** Null without one, and for ever after: a budget is given when the session is made. */
  readonly budget: BetaManagedAgentsBudgetLimit | null;
  /** Set when it began as a copy of another session, which may be gone by now. */
  readonly forkedFrom?: SessionOrigin;
}

/** Where a fork comes from. */
export interface SessionOrigin {
  readonly sessionId: string;
  /** The event that was named; null for the end of what was complete. */
  readonly eventId: string | null;
  /** Files of that session which were gone by then, so the fork does not have them. Absent in forks of before. */
  readonly missingFiles?: readonly Pick<SessionResource, 'file_id' | 'mount_path'>[];
}

/** A file that was put into the session's workspace when it was made. */
export interface SessionResource {
  /** Minted by us: `sesrsc_…`. */
  readonly id: string;
  readonly type: 'file';
  readonly file_id: string;
  /** Where it stands, as the client wrote it or as the API's default says. */
  readonly mount_path: string;
  /** Wall clock, RFC 3339 in UTC. */
  readonly created_at: string;
}
