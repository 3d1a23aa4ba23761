import type { AgentOptions } from '../contracts/agent-driver.ts';
import type { SessionRow } from '../contracts/session-store.ts';
import type { SeedMessage } from '../contracts/transcripts.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';

/** How a session is asked for. */
export interface SessionRequest {
  /** Whose session it is. Names are unique, and visible, within a tenant only. Default `default`. */
  readonly tenant?: string;
  /** Laid over the session's options: omitted means inherit, equal means nothing happens. */
  readonly agent?: AgentOptions;
  /**
   * The folder the agent works in: an absolute path, of those that the operator allows. Default: a folder of its own, which
   * goes with the session; this one stays. Several sessions may work in one. Fixed when the session is made: for a known
   * one omitted means inherit, equal means nothing happens, and another is refused.
   */
  readonly workspace?: string;
  /** Laid over the session's limits, within the bounds of `pool.limits`; they stay with it. A turn may have its own on top. */
  readonly limits?: Partial<TurnLimits>;
  /** For a new session. Default `named`. */
  readonly kind?: SessionRow['kind'];
  /**
   * Goes before callers of a lower one of the same tenant where a slot must be waited for: -10 to 10, default 0. Never
   * before those of another tenant.
   */
  readonly priority?: number;
  /** For a new session: messages that came before. A known session has its own. */
  readonly history?: readonly SeedMessage[];
  /** Gives up the wait of this caller; nobody else's. */
  readonly signal?: AbortSignal;
}

/** How a session is made whose name is its id. */
export interface IdentifiedSession {
  readonly tenant: string;
  readonly agent: AgentOptions;
  /** As {@link SessionRequest.workspace}. */
  readonly workspace?: string | undefined;
  /** Of its turns, within the bounds of `pool.limits`, whose values the others are. Default: none of its own. */
  readonly limits?: Partial<TurnLimits> | undefined;
  /** Whether a process that was prepared for anybody may serve it: not where its processes get something of their own. */
  readonly mayTakeSpare: boolean;
  readonly announce: Announce;
}

/**
 * Called with the id of a session before it is in the store, and with the folder that was made for it: undefined where it
 * works in one that was named. When it rejects there is no session, and no folder; when what follows fails, what was done
 * elsewhere is for the caller to take back.
 */
export type Announce = (id: string, ownWorkspace: string | undefined) => Promise<void>;

/** What of a request has been looked at. */
export interface CheckedRequest {
  readonly limits: SessionRow['limits'] | undefined;
  /** The real path of the folder that was named. */
  readonly workspace: string | undefined;
}
