import type { AgentOptions } from '../contracts/agent-driver.ts';
import type { EventPage } from '../contracts/session-store.ts';
import type { SeedMessage } from '../contracts/transcripts.ts';
import type { LogItem } from '../events/preview.ts';
import type { PromptContent } from '../events/record.ts';
import type { SessionInfo } from '../pool/session-info.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';
import type { StreamHandle } from '../session/stream-handle.ts';

export type { SessionInfo };

/** How a session is asked for. */
export interface SessionRequest {
  /** The key's id; sessions of one tenant are invisible to others. */
  tenant?: string;
  /** Laid over the session's options; what is left out is inherited. */
  agent?: AgentOptions;
  /** The folder it works in: absolute, of those that the key may name. For a known session the same, or nothing. */
  workspace?: string;
  /** Laid over the session's limits. */
  limits?: Partial<TurnLimits>;
  /** `one_shot` sessions go away with everything at the end. Default `named`. */
  kind?: 'named' | 'one_shot';
  /** What was said before, for a session that is new. */
  history?: readonly SeedMessage[];
  /** Before callers of a lower one of the same tenant, where a slot must be waited for. */
  priority?: number;
  /** Gives up the wait. */
  signal?: AbortSignal;
}

/** How a session is prompted. */
export interface PromptRequest {
  /** The model of this turn only. */
  model?: string;
  /** What to do while a turn runs: queue (default) or `session_busy`. */
  onBusy?: 'queue' | 'reject';
  /** What happens when the last reader leaves before the end. */
  whenUnread?: { policy: 'continue' } | { policy: 'interrupt'; graceMs: number };
  /** Limits of this turn; the rest is the session's. */
  limits?: Partial<TurnLimits>;
  /** Withdraws the prompt while it waits. */
  signal?: AbortSignal;
}

/** A session that the pool gave out. */
export interface SessionClientPort {
  readonly id: string;
  readonly name: string;
  prompt(content: PromptContent, request?: PromptRequest): Promise<StreamHandle>;
}

/** What the routes need of the session pool; `SessionPool` has it. Names are the callers' own, unique per tenant. */
export interface PoolPort {
  getSessionClient(name: string, request?: SessionRequest): Promise<SessionClientPort>;
  /** Ends a session for good: process, rows and folders. False when there is none. */
  deleteSession(tenant: string, name: string): Promise<boolean>;
  /** False when nothing was running. `session_not_found`. */
  interruptSession(tenant: string, name: string): Promise<boolean>;
  /** Connects a known session's process. `session_not_found`, and what {@link PoolPort.getSessionClient} rejects with. */
  warm(tenant: string, name: string, signal?: AbortSignal): Promise<SessionInfo>;
  /** Newest first. */
  listSessions(
    tenant: string,
    query: { limit: number; after?: string },
  ): Promise<{ sessions: readonly SessionInfo[]; next: string | null }>;
  getSessionInfo(tenant: string, name: string): Promise<SessionInfo | undefined>;
  /** A page of records with a number greater than `after`; the first one tells when earlier ones are gone. `session_not_found`. */
  listEvents(
    tenant: string,
    name: string,
    query: { after: number; limit: number },
  ): Promise<EventPage>;
  /** All of them, then what happens, until the signal aborts. `session_not_found`; the iteration throws `reader_too_slow`. */
  followEvents(
    tenant: string,
    name: string,
    query: { after: number; signal?: AbortSignal },
  ): Promise<AsyncIterable<LogItem>>;
  readiness(): { ready: boolean; reason?: string };
}
