import type { AgentOptions } from './agent-driver.ts';
import type { TranscriptStore } from './transcripts.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';
import type { EventRecord, PromptContent, SessionEvent, Usage } from '../events/record.ts';

/** What is known of a session besides its events. */
export interface SessionRow {
  /** Ours: `sesn_…`. */
  readonly id: string;
  /** The key's id that made it; a session is visible to its tenant only. */
  readonly tenant: string;
  /** The caller's name, unique per tenant. */
  readonly name: string;
  /** The agent's id of the conversation. */
  readonly agentSessionId: string;
  readonly options: AgentOptions;
  /** Limits of its turns, where it has its own; the others are the host's. */
  readonly limits: Readonly<Partial<TurnLimits>>;
  /** Absolute path of the workspace. */
  readonly workspace: string;
  /** Whether we made the workspace, for this session: then it goes with it. One that a caller named is never removed. */
  readonly ownsWorkspace: boolean;
  /** `one_shot` sessions go away, with everything, when their turn has ended or the host starts again. */
  readonly kind: 'named' | 'one_shot';
  /** The folder of a process that wrote what the transcript in the store lacks; null when the store has everything. */
  readonly staleTranscriptFolder: string | null;
  readonly usage: Usage;
  readonly turnCount: number;
  /** Time that its turns have taken, waits for their client left out; of those that have ended. */
  readonly activeMs: number;
  /** Since then it takes no prompts; wall clock, RFC 3339. Null while it does. There is no way back. */
  readonly archivedAt: string | null;
  /** Wall clock, RFC 3339. */
  readonly createdAt: string;
  readonly lastActiveAt: string;
  /** The host that may write, and how often ownership has changed; every write names its epoch. */
  readonly owner: string;
  readonly epoch: number;
}

export type NewSession = Omit<
  SessionRow,
  | 'epoch'
  | 'usage'
  | 'turnCount'
  | 'activeMs'
  | 'archivedAt'
  | 'staleTranscriptFolder'
  | 'lastActiveAt'
>;

/** Up to where a session is copied. */
export interface ForkSource {
  readonly sessionId: string;
  /** The number of the last record that may come along. */
  readonly upto: number;
}

/** Fields of a row that change. */
export type SessionPatch = Partial<
  Pick<
    SessionRow,
    | 'options'
    | 'limits'
    | 'staleTranscriptFolder'
    | 'usage'
    | 'turnCount'
    | 'activeMs'
    | 'archivedAt'
    | 'lastActiveAt'
  >
>;

/** One page of a listing, newest first. */
export interface SessionPage {
  readonly sessions: readonly SessionRow[];
  /** Pass as `after` to get the next page; null when this was the last. */
  readonly next: string | null;
}

/** A turn that began and has no end: the prompt's record, and whether it was marked delivered. */
export interface UnfinishedTurn {
  readonly session: SessionRow;
  readonly prompt: EventRecord;
  readonly delivered: boolean;
}

/**
 * How much of a session's events is kept; what is left out sets no bound. A record goes as soon as one bound asks for it,
 * the oldest first.
 */
export interface EventBounds {
  /** Records. */
  readonly maxEvents?: number | undefined;
  /** UTF-8 bytes of the bodies and details of all records, as JSON. */
  readonly maxBytes?: number | undefined;
  /** Wall clock, RFC 3339 in UTC: records from before it may go. */
  readonly notBefore?: string | undefined;
}

/** What one call of {@link SessionStore.trimEvents} has done. */
export interface Trimmed {
  /** Records that are gone since. */
  readonly removed: number;
  /** Whether the call ended at its bound of work and another one may remove more. */
  readonly more: boolean;
}

/** Which records of a session to list. */
export interface EventQuery {
  /** Of their numbers. */
  readonly order: 'asc' | 'desc';
  /** Only those beyond this number, in that order: the `next` of the page before. */
  readonly beyond?: number | undefined;
  /** Only those of these types; at least one. Default: all. */
  readonly types?: readonly SessionEvent['type'][] | undefined;
  /** Bounds of their times, both inclusive; RFC 3339 in UTC with milliseconds. Times are taken to rise with the numbers. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  /** 1 to 10,000. */
  readonly limit: number;
  /** As for {@link SessionStore.readEvents}. */
  readonly maxBytes: number;
}

/** One page of records. */
export interface EventPage {
  readonly records: readonly EventRecord[];
  /** Pass as `beyond` to get the next page; null when this was the last. */
  readonly next: number | null;
  /** Numbers of records that belong on the page and are left out, because they are damaged in the store. */
  readonly damaged: readonly number[];
}

/** What a request has left in a session, so that its repetition is not taken for another one. */
export interface RequestMark {
  /** The caller's, unique in the session. */
  readonly key: string;
  /** Tells another request under the same key. */
  readonly digest: string;
  /** Of the records that it became. */
  readonly eventIds: readonly string[];
  /** Wall clock, RFC 3339 in UTC. */
  readonly at: string;
}

/** How long a {@link RequestMark} is kept at least, unless its session is deleted before. */
export const KEEP_REQUESTS_MS = 24 * 60 * 60 * 1000;

/**
 * Where sessions live. Every method rejects with a `RoundhouseError`: `storage_failed`, or what its line says. What a
 * method has resolved survives the death of the process. What is damaged in the store fails the methods that name it, and
 * is left out of listings ({@link SessionStore.listSessions}, {@link SessionStore.listEvents},
 * {@link SessionStore.unfinishedTurns}).
 */
export interface SessionStore {
  /** Sessions' transcripts, in the same store. */
  readonly transcripts: TranscriptStore;
  /** Creates a session with epoch 1. `session_busy` when the tenant has one of that name. */
  createSession(session: NewSession): Promise<SessionRow>;
  /**
   * Creates a session as {@link SessionStore.createSession} does, with records of another one: those up to
   * a number, of turns that had ended by then, under numbers of their own from 1. `fill` is called in between, for what else
   * belongs to it: its transcripts are written then. Until it resolves no method finds the session, however long it takes;
   * others are served meanwhile. When it rejects, or the host dies before, nothing is left of records and transcripts.
   * `session_not_found` when there is no such other one, `session_busy`, or as `fill` does.
   */
  forkSession(
    session: NewSession,
    source: ForkSource,
    fill: () => Promise<void>,
  ): Promise<SessionRow>;
  getSession(id: string): Promise<SessionRow | undefined>;
  findSession(tenant: string, name: string): Promise<SessionRow | undefined>;
  /** Newest first. `tenant` undefined means all of them (the host's own housekeeping). `limit` 1 to 1000. */
  listSessions(query: {
    tenant?: string;
    limit: number;
    after?: string;
    kind?: SessionRow['kind'];
  }): Promise<SessionPage>;
  /** The folders that rows name as {@link SessionRow.staleTranscriptFolder}, those of damaged rows too. */
  staleTranscriptFolders(): Promise<string[]>;
  /** Named sessions of a tenant. */
  countSessions(tenant: string): Promise<number>;
  /** Makes `owner` the only one that may write, by raising the epoch. `session_not_found`. */
  claimSession(id: string, owner: string): Promise<SessionRow>;
  /**
   * Adds records (there may be none), whose numbers follow the last one without a gap, changes the row, and keeps the mark of
   * the request that it is for, in one transaction. `session_moved` when the epoch is not the row's. What an agent is given
   * for a prompt is kept with its turn, for {@link SessionStore.givenContent} alone, until that is delivered.
   */
  append(
    sessionId: string,
    epoch: number,
    records: readonly EventRecord[],
    patch?: SessionPatch,
    mark?: RequestMark,
  ): Promise<void>;
  /** The mark of a request, unless it is older than {@link KEEP_REQUESTS_MS} at `now` (RFC 3339 in UTC). */
  findRequest(sessionId: string, key: string, now: string): Promise<RequestMark | undefined>;
  /**
   * Records with a number greater than `after`, in order, at most `limit` (1 to 10,000), and no more of them than `maxBytes`
   * hold (default: no bound): UTF-8 bytes of their bodies and details as JSON. The first always comes, so only an empty page
   * says that there is no further record.
   */
  readEvents(
    sessionId: string,
    after: number,
    limit: number,
    maxBytes?: number,
  ): Promise<EventRecord[]>;
  /** A page of the records that are there. The first of a page always comes, whatever its bytes. Empty for an unknown session. */
  listEvents(sessionId: string, query: EventQuery): Promise<EventPage>;
  /**
   * When turns were taken up, by their ids: the time of the first `session.status_running` of each, or of the
   * `session.status_idle` or `session.error` that ended it without one. A turn that waits is not among them.
   */
  processedAt(sessionId: string, turnIds: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** The number of the record whose body has that id; undefined when there is none, or none any more. */
  numberOfEvent(sessionId: string, eventId: string): Promise<number | undefined>;
  /**
   * Removes the oldest records, as far as `bounds` ask for it, at most `maxRecords` (1 to 10,000) in one call. Never those of
   * a turn without an end, of the last turn, or the last record; so what is left has no holes, and its first number tells a
   * reader what is gone. Any host may call it, at any time: what it takes is not written to any more. Nothing happens when
   * the session is not there.
   */
  trimEvents(sessionId: string, bounds: EventBounds, maxRecords: number): Promise<Trimmed>;
  /** The number of the last record that ever was; 0 when there was none. */
  lastEventNumber(sessionId: string): Promise<number>;
  /** Turns that the host left without an end, oldest first. */
  unfinishedTurns(): Promise<UnfinishedTurn[]>;
  /**
   * What the agent of a turn is {@link EventRecord.given} in the place of its prompt's content; undefined when the prompt had
   * none, or was delivered.
   */
  givenContent(sessionId: string, turnId: string): Promise<PromptContent | undefined>;
  /** Removes the session, its events and its transcripts. Nothing happens when it is not there. */
  deleteSession(id: string): Promise<void>;
  /** After this no method may be called. */
  close(): Promise<void>;
}
