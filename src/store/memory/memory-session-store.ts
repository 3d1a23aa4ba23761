import { RoundhouseError } from '../../errors.ts';
import { NO_USAGE } from '../../events/record.ts';
import type { EventRecord } from '../../events/record.ts';
import type {
  NewSession,
  SessionPage,
  SessionPatch,
  SessionRow,
  SessionStore,
  UnfinishedTurn,
} from '../../contracts/session-store.ts';
import { toJson } from '../json.ts';
import {
  checkLimit,
  fromCursor,
  MAX_PAGE_SESSIONS,
  MAX_READ_RECORDS,
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
} from '../record-rules.ts';
import { MemoryTranscriptStore } from './memory-transcript-store.ts';

/** A session with its events as JSON: a deep copy that nobody can change. Event `n` stands at index `n - 1`. */
interface StoredSession {
  row: SessionRow;
  readonly events: string[];
}

interface OpenTurn {
  readonly session: StoredSession;
  readonly turnId: string;
  readonly promptNumber: number;
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
    const key = nameKey(session.tenant, session.name);
    if (this.#byName.has(key)) throw nameTaken(session.name);
    if (this.#sessions.has(session.id)) {
      throw new RoundhouseError(
        'storage_failed',
        `Session ${session.id} exists already; an id must be minted anew for every session.`,
      );
    }
    const row: SessionRow = copy({
      ...session,
      epoch: 1,
      usage: NO_USAGE,
      turnCount: 0,
      staleTranscriptFolder: null,
      lastActiveAt: session.createdAt,
    });
    const stored = { row, events: [] };
    this.#sessions.set(row.id, stored);
    this.#byName.set(key, stored);
    return copy(row);
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
  ): Promise<void> {
    this.#checkOpen();
    checkRecords(sessionId, records);
    const session = this.#sessions.get(sessionId);
    if (session === undefined) throw sessionNotFound(sessionId);
    if (session.row.epoch !== epoch) throw sessionMoved(sessionId, session.row.epoch, epoch);
    const first = records[0];
    if (first !== undefined && first.number !== session.events.length + 1) {
      throw recordsRefused(sessionId, session.events.length + 1, first.number);
    }
    // Made before anything changes, so that a value that JSON can't hold leaves everything as it was.
    const kept = records.map(toJson);
    const changes = copy(patch);
    session.row = { ...session.row, ...changes };
    // Not push(...kept): a large append would exceed the number of arguments that a call can have.
    for (const json of kept) session.events.push(json);
    this.#markTurns(session, records);
  }

  async readEvents(sessionId: string, after: number, limit: number): Promise<EventRecord[]> {
    this.#checkOpen();
    checkLimit(limit, MAX_READ_RECORDS);
    const from = Math.max(0, after);
    const events = this.#sessions.get(sessionId)?.events.slice(from, from + limit) ?? [];
    return events.map((json): EventRecord => JSON.parse(json));
  }

  async lastEventNumber(sessionId: string): Promise<number> {
    this.#checkOpen();
    return this.#sessions.get(sessionId)?.events.length ?? 0;
  }

  async unfinishedTurns(): Promise<UnfinishedTurn[]> {
    this.#checkOpen();
    return this.#openTurns.map(({ session, promptNumber, delivered }) => {
      const prompt: EventRecord = JSON.parse(session.events[promptNumber - 1] ?? 'null');
      return { session: copy(session.row), prompt, delivered };
    });
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

  #markTurns(session: StoredSession, records: readonly EventRecord[]): void {
    for (const mark of turnMarks(records)) {
      const open = this.#openTurns.find(
        (turn) => turn.session === session && turn.turnId === mark.turnId,
      );
      switch (mark.kind) {
        case 'begun':
          if (open === undefined) this.#openTurns.push({ session, ...mark, delivered: false });
          break;
        case 'delivered':
          if (open !== undefined) open.delivered = true;
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

function nameKey(tenant: string, name: string): string {
  return JSON.stringify([tenant, name]);
}

/** A deep copy as a database would give it: whatever JSON does to a value has happened to it. */
function copy<T>(value: T): T {
  return value === undefined ? value : JSON.parse(toJson(value));
}

/** Negative when `a` stands before `b`: by the time of creation, newest first, then by id, largest first. */
function newestFirst(
  a: Pick<SessionRow, 'createdAt' | 'id'>,
  b: Pick<SessionRow, 'createdAt' | 'id'>,
): number {
  if (a.createdAt !== b.createdAt) return a.createdAt > b.createdAt ? -1 : 1;
  if (a.id !== b.id) return a.id > b.id ? -1 : 1;
  return 0;
}
