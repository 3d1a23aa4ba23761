import { RoundhouseError } from '../../errors.ts';
import { NO_USAGE } from '../../events/record.ts';
import type { EventDetail, EventRecord, PromptContent, SessionEvent } from '../../events/record.ts';
import type {
  EventBounds,
  EventPage,
  EventQuery,
  ForkSource,
  NewSession,
  RequestMark,
  SessionPage,
  SessionPatch,
  SessionRow,
  SessionStore,
  Trimmed,
  UnfinishedTurn,
} from '../../contracts/session-store.ts';
import { countWithin, forgottenBefore, narrowed } from '../event-queries.ts';
import { toJson } from '../json.ts';
import {
  checkLimit,
  fromCursor,
  MAX_PAGE_SESSIONS,
  MAX_READ_RECORDS,
  newestFirst,
  toCursor,
} from '../paging.ts';
import {
  checkRecords,
  nameTaken,
  recordsRefused,
  sessionMoved,
  sessionNotFound,
  storeClosed,
  turnMarks,
  type TurnMark,
} from '../record-rules.ts';
import { planTrim, recordBytes, type TrimCandidate } from '../trim-rules.ts';
import { MemoryTranscriptStore } from './memory-transcript-store.ts';

/** Records that take a turn up, or end one that never was. */
const MARKS_A_TURN: ReadonlySet<string> = new Set([
  'session.status_running',
  'session.status_idle',
  'session.error',
]);

/** An event with its body and detail as JSON, a deep copy that nobody can change, and what trimming and queries ask of it. */
interface StoredEvent extends TrimCandidate {
  readonly body: string;
  readonly detail: string;
  readonly type: string;
  readonly eventId: string;
}

/** A session with its events. Event `n` stands at index `n - firstNumber`. */
interface StoredSession {
  row: SessionRow;
  firstNumber: number;
  lastNumber: number;
  bytes: number;
  events: StoredEvent[];
  /** By their keys. */
  requests: Map<string, RequestMark>;
}

interface OpenTurn {
  readonly session: StoredSession;
  readonly turnId: string;
  readonly promptNumber: number;
  /** JSON; null without, and once it is delivered. */
  given: string | null;
  delivered: boolean;
}

/**
 * A {@link SessionStore} that lives and ends with the process: for tests, benches and hosts that keep nothing. What comes
 * out is always a copy, as from a database.
 */
export class MemorySessionStore implements SessionStore {
  readonly transcripts: MemoryTranscriptStore;
  readonly #sessions = new Map<string, StoredSession>();
  /** The same sessions by {@link nameKey}. */
  readonly #byName = new Map<string, StoredSession>();
  /** In the order in which the turns began. */
  #openTurns: OpenTurn[] = [];
  #closed = false;

  constructor() {
    this.transcripts = new MemoryTranscriptStore(() => this.#checkOpen());
  }

  async createSession(session: NewSession): Promise<SessionRow> {
    this.#checkOpen();
    return this.#add(session, []);
  }

  async forkSession(
    session: NewSession,
    source: ForkSource,
    fill: () => Promise<void>,
  ): Promise<SessionRow> {
    this.#checkOpen();
    if (!this.#sessions.has(source.sessionId)) throw sessionNotFound(source.sessionId);
    this.#checkNew(session);
    try {
      await fill();
      this.#checkOpen();
      return this.#add(session, this.#copies(source));
    } catch (error) {
      this.transcripts.deleteConversation(session.agentSessionId);
      throw error;
    }
  }

  async getSession(id: string): Promise<SessionRow | undefined> {
    this.#checkOpen();
    return copy(this.#sessions.get(id)?.row);
  }

  async findSession(tenant: string, name: string): Promise<SessionRow | undefined> {
    this.#checkOpen();
    return copy(this.#byName.get(nameKey(tenant, name))?.row);
  }

  async listSessions(query: Parameters<SessionStore['listSessions']>[0]): Promise<SessionPage> {
    this.#checkOpen();
    checkLimit(query.limit, MAX_PAGE_SESSIONS);
    const after = query.after === undefined ? undefined : fromCursor(query.after);
    const found = [...this.#sessions.values()]
      .map(({ row }) => row)
      .filter((row) => query.tenant === undefined || row.tenant === query.tenant)
      .filter((row) => query.kind === undefined || row.kind === query.kind)
      .filter((row) => after === undefined || newestFirst(after, row) < 0)
      .toSorted(newestFirst);
    const sessions = found.slice(0, query.limit);
    const last = sessions.at(-1);
    const next = last !== undefined && found.length > sessions.length ? toCursor(last) : null;
    return { sessions: copy(sessions), next };
  }

  async staleTranscriptFolders(): Promise<string[]> {
    this.#checkOpen();
    return [...this.#sessions.values()].flatMap(({ row }) => row.staleTranscriptFolder ?? []);
  }

  async countSessions(tenant: string): Promise<number> {
    this.#checkOpen();
    let count = 0;
    for (const { row } of this.#sessions.values()) {
      if (row.tenant === tenant && row.kind === 'named') count += 1;
    }
    return count;
  }

  async claimSession(id: string, owner: string): Promise<SessionRow> {
    this.#checkOpen();
    const session = this.#sessions.get(id);
    if (session === undefined) throw sessionNotFound(id);
    session.row = { ...session.row, owner, epoch: session.row.epoch + 1 };
    return copy(session.row);
  }

  async append(
    sessionId: string,
    epoch: number,
    records: readonly EventRecord[],
    patch: SessionPatch = {},
    mark?: RequestMark,
  ): Promise<void> {
    this.#checkOpen();
    checkRecords(sessionId, records);
    const session = this.#sessions.get(sessionId);
    if (session === undefined) throw sessionNotFound(sessionId);
    if (session.row.epoch !== epoch) throw sessionMoved(sessionId, session.row.epoch, epoch);
    const first = records[0];
    if (first !== undefined && first.number !== session.lastNumber + 1) {
      throw recordsRefused(sessionId, session.lastNumber + 1, first.number);
    }
    // Made before anything changes, so that a value that JSON can't hold leaves everything as it was.
    const kept = records.map(toStored);
    const marks = turnMarks(records);
    const changes = copy(patch);
    const request = copy(mark);
    session.row = { ...session.row, ...changes };
    // Not push(...kept): a large append would exceed the number of arguments that a call can have.
    for (const event of kept) {
      session.events.push(event);
      session.lastNumber = event.number;
      session.bytes += event.bytes;
    }
    this.#markTurns(session, marks);
    if (request !== undefined) keepRequest(session, request);
  }

  async findRequest(sessionId: string, key: string, now: string): Promise<RequestMark | undefined> {
    this.#checkOpen();
    const mark = this.#sessions.get(sessionId)?.requests.get(key);
    return mark !== undefined && mark.at >= forgottenBefore(now) ? copy(mark) : undefined;
  }

  async readEvents(
    sessionId: string,
    after: number,
    limit: number,
    maxBytes = Infinity,
  ): Promise<EventRecord[]> {
    this.#checkOpen();
    checkLimit(limit, MAX_READ_RECORDS);
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return [];
    const from = Math.max(0, after + 1 - session.firstNumber);
    const page = session.events.slice(from, from + limit);
    return page
      .slice(0, countWithin(page.map(sizeOf), maxBytes))
      .map((event) => recordOf(sessionId, event));
  }

  async listEvents(sessionId: string, query: EventQuery): Promise<EventPage> {
    this.#checkOpen();
    const { order, types, limit, maxBytes } = query;
    checkLimit(limit, MAX_READ_RECORDS);
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return { records: [], damaged: [], next: null };
    const { firstNumber, lastNumber, events } = session;
    const { first, last } = await narrowed(
      { first: firstNumber, last: lastNumber },
      query,
      async (number) => events[number - firstNumber]?.at,
    );
    const wanted: ReadonlySet<string> | undefined = types && new Set(types);
    const found = events.filter(
      ({ number, type }) =>
        number >= first && number <= last && (wanted === undefined || wanted.has(type)),
    );
    if (order === 'desc') found.reverse();
    const page = found.slice(0, limit);
    const records = page
      .slice(0, countWithin(page.map(sizeOf), maxBytes))
      .map((event) => recordOf(sessionId, event));
    return {
      records,
      damaged: [],
      next: found.length > records.length ? (records.at(-1)?.number ?? null) : null,
    };
  }

  async processedAt(
    sessionId: string,
    turnIds: readonly string[],
  ): Promise<ReadonlyMap<string, string>> {
    this.#checkOpen();
    const times = new Map<string, string>();
    for (const { turnId, type, at } of this.#sessions.get(sessionId)?.events ?? []) {
      if (turnId === null || !turnIds.includes(turnId) || times.has(turnId)) continue;
      if (MARKS_A_TURN.has(type)) times.set(turnId, at);
    }
    return times;
  }

  async numberOfEvent(sessionId: string, eventId: string): Promise<number | undefined> {
    this.#checkOpen();
    return this.#sessions.get(sessionId)?.events.find((event) => event.eventId === eventId)?.number;
  }

  async trimEvents(sessionId: string, bounds: EventBounds, maxRecords: number): Promise<Trimmed> {
    this.#checkOpen();
    checkLimit(maxRecords, MAX_READ_RECORDS);
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return { removed: 0, more: false };
    const { lastNumber, bytes, events } = session;
    const open = this.#openTurns.filter((turn) => turn.session === session);
    const state = {
      lastNumber,
      bytes,
      lastTurnId: events.findLast(({ turnId }) => turnId !== null)?.turnId ?? null,
      firstOpenPrompt: open.map(({ promptNumber }) => promptNumber).toSorted((a, b) => a - b)[0],
    };
    const plan = planTrim(events.slice(0, maxRecords), state, bounds, maxRecords);
    session.events = events.slice(plan.removed);
    session.firstNumber += plan.removed;
    session.bytes -= plan.removedBytes;
    return { removed: plan.removed, more: plan.more };
  }

  async lastEventNumber(sessionId: string): Promise<number> {
    this.#checkOpen();
    return this.#sessions.get(sessionId)?.lastNumber ?? 0;
  }

  async unfinishedTurns(): Promise<UnfinishedTurn[]> {
    this.#checkOpen();
    return this.#openTurns.flatMap(({ session, promptNumber, delivered }) => {
      const prompt = session.events[promptNumber - session.firstNumber];
      return prompt === undefined
        ? []
        : { session: copy(session.row), prompt: recordOf(session.row.id, prompt), delivered };
    });
  }

  async givenContent(sessionId: string, turnId: string): Promise<PromptContent | undefined> {
    this.#checkOpen();
    const open = this.#openTurns.find(
      (turn) => turn.session.row.id === sessionId && turn.turnId === turnId,
    );
    return open === undefined || open.given === null ? undefined : JSON.parse(open.given);
  }

  async deleteSession(id: string): Promise<void> {
    this.#checkOpen();
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    this.#byName.delete(nameKey(session.row.tenant, session.row.name));
    this.#openTurns = this.#openTurns.filter((turn) => turn.session !== session);
    this.transcripts.deleteConversation(session.row.agentSessionId);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw storeClosed();
  }

  #checkNew({ id, tenant, name }: NewSession): void {
    if (this.#byName.has(nameKey(tenant, name))) throw nameTaken(name);
    if (this.#sessions.has(id)) {
      throw new RoundhouseError(
        'storage_failed',
        `Session ${id} exists already; an id must be minted anew for every session.`,
      );
    }
  }

  #add(session: NewSession, events: StoredEvent[]): SessionRow {
    this.#checkNew(session);
    const row: SessionRow = copy({
      ...session,
      epoch: 1,
      usage: NO_USAGE,
      turnCount: 0,
      activeMs: 0,
      archivedAt: null,
      staleTranscriptFolder: null,
      lastActiveAt: session.createdAt,
    });
    const stored = {
      row,
      firstNumber: 1,
      lastNumber: events.length,
      bytes: events.reduce((sum, { bytes }) => sum + bytes, 0),
      events,
      requests: new Map(),
    };
    this.#sessions.set(row.id, stored);
    this.#byName.set(nameKey(row.tenant, row.name), stored);
    return copy(row);
  }

  /** What a fork has of the records of another session. At one go: nothing of them is read or written anew. */
  #copies({ sessionId, upto }: ForkSource): StoredEvent[] {
    const source = this.#sessions.get(sessionId);
    if (source === undefined) throw sessionNotFound(sessionId);
    const open = this.#openTurns.filter((turn) => turn.session === source);
    const goOn = new Set([
      ...open.map(({ turnId }) => turnId),
      ...source.events.flatMap(({ number, turnId }) =>
        number > upto && turnId !== null ? [turnId] : [],
      ),
    ]);
    return source.events
      .filter(({ number, turnId }) => number <= upto && (turnId === null || !goOn.has(turnId)))
      .map((event, index) => ({ ...event, number: index + 1 }));
  }

  #markTurns(session: StoredSession, marks: readonly TurnMark[]): void {
    for (const mark of marks) {
      const open = this.#openTurns.find(
        (turn) => turn.session === session && turn.turnId === mark.turnId,
      );
      switch (mark.kind) {
        case 'begun':
          if (open === undefined) this.#openTurns.push({ session, ...mark, delivered: false });
          break;
        case 'delivered':
          if (open !== undefined) {
            open.delivered = true;
            open.given = null;
          }
          break;
        case 'ended':
          this.#openTurns = this.#openTurns.filter((turn) => turn !== open);
          break;
        default:
          mark satisfies never;
      }
    }
  }
}

function toStored(kept: EventRecord): StoredEvent {
  const { given: _, ...record } = kept;
  const { number, turnId, at } = record;
  const { type, id: eventId } = record.body;
  const columns = { body: toJson(record.body), detail: toJson(record.detail) };
  return { number, turnId, at, type, eventId, ...columns, bytes: recordBytes(columns) };
}

function sizeOf({ bytes }: StoredEvent): number {
  return bytes;
}

function keepRequest({ requests }: StoredSession, mark: RequestMark): void {
  const before = forgottenBefore(mark.at);
  for (const { key, at } of requests.values()) if (at < before) requests.delete(key);
  requests.set(mark.key, mark);
}

function recordOf(sessionId: string, { number, turnId, at, ...event }: StoredEvent): EventRecord {
  const body: SessionEvent = JSON.parse(event.body);
  const detail: EventDetail = JSON.parse(event.detail);
  return { number, sessionId, turnId, at, type: body.type, body, detail };
}

function nameKey(tenant: string, name: string): string {
  return JSON.stringify([tenant, name]);
}

/** A deep copy as a database would give it: whatever JSON does to a value has happened to it. */
function copy<T>(value: T): T {
  return value === undefined ? value : JSON.parse(toJson(value));
}
