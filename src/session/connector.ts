import type { AgentOptions, AgentProcess, OpenCall, TakeUp } from '../contracts/agent-driver.ts';
import type { SessionRow } from '../contracts/session-store.ts';

/** A process that a session may use until it ends; its slot goes back by itself when the process is gone. */
export interface Connection {
  /** The name of this attachment. */
  readonly clientId: string;
  readonly process: AgentProcess;
  /** The process's own folder. */
  readonly processFolder: string;
  /** What the agent was when the process began a new conversation; undefined when it took up an old one. */
  readonly generation?: string;
  /** What the process goes on with, by itself; undefined for one that takes prompts. */
  readonly takeUp?: TakeUp;
}

/** A turn that goes on in the process, instead of a prompt. Such a start is tried once: it may have done something. */
export interface TakeUpRequest {
  /** Calls, by the agent's ids, that no process was given an answer to. */
  readonly neverHanded: readonly string[];
  /**
   * Called right before the start, with the calls that are open: what the process goes on with. What it resolves is kept as
   * handed over. Rejects when there is nothing to go on with.
   */
  choose(open: readonly OpenCall[]): Promise<TakeUp>;
}

export interface ConnectRequest {
  readonly row: SessionRow;
  readonly options: AgentOptions;
  /** Among waiters of the same tenant, higher goes first. */
  readonly priority: number;
  /** Milliseconds that the start may take, all attempts together, once there is a slot. */
  readonly startMs: number;
  /**
   * Aborted when nobody needs the process any more, which may be needed again before it has come to its end. The wait for a
   * slot is given up then, and a start by resume; one that begins a conversation may go on, for its process can serve another.
   */
  readonly unneeded: AbortSignal;
  /** Start only if there is a slot, and room to start, that nobody waits for; else `pool_at_capacity` at once. */
  readonly onlyIfFree: boolean;
  /** Set when a turn goes on in the process. */
  readonly takeUp?: TakeUpRequest | undefined;
  /** Called when what a stale transcript lacked has been imported, before the start. */
  readonly transcriptRescued: () => Promise<void>;
}

/** Where a session gets processes from: the pool. */
export interface Connector {
  /**
   * Waits for a slot and starts a process. Aborting `signal` gives up the wait or the start and leaves nothing behind.
   * Rejects with `pool_at_capacity`, `queue_full`, `draining`, `agent_unavailable` or `session_connection_failed`.
   */
  connect(request: ConnectRequest, signal: AbortSignal): Promise<Connection>;
}
