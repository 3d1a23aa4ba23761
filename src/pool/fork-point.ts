import type { EventPage, EventQuery, SessionStore } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import { turnEndOf, type EventRecord } from '../events/record.ts';
import { letOthersRun } from '../time/timers.ts';

/** One page of records on the way through a log. */
const PAGE = { limit: 1_000, maxBytes: 1_048_576 };

/** Records that say where turns begin to run, and where they end. */
const MARKS = ['session.status_running', 'session.status_idle', 'session.error'] as const;

type Log = Pick<SessionStore, 'listEvents' | 'numberOfEvent' | 'lastEventNumber'>;

/** Up to where a session is forked. */
export interface ForkPoint {
  /** The number of the last record that may come along. */
  readonly upto: number;
  /** The turn of the event that was named, where that does not come along. */
  readonly turnId: string | undefined;
}

/**
 * The complete point that an event stands for: the end of its turn, if the agent says nothing more in that turn behind it,
 * else the last one before the turn was taken up. A prompt stands for what was before it. Without an event the last one
 * there is. `not_found` for an event that is not there, `session_busy` for one whose turn has not ended.
 */
export async function forkPoint(
  store: Log,
  sessionId: string,
  eventId: string | undefined,
): Promise<ForkPoint> {
  if (eventId === undefined)
    return { upto: await store.lastEventNumber(sessionId), turnId: undefined };
  const number = await store.numberOfEvent(sessionId, eventId);
  if (number === undefined) throw eventGone(eventId);
  let named: EventRecord | undefined;
  /** Where its turn was taken up, if that was behind it. */
  let takenUp: number | undefined;
  let goesOn = false;
  for await (const record of recordsFrom(store, sessionId, number)) {
    named ??= record;
    if (named.turnId === null) return { upto: number, turnId: undefined };
    if (record.turnId !== named.turnId) continue;
    if (record.number > number && record.detail.delivered === true) takenUp ??= record.number;
    if (record.number > number && record.type.startsWith('agent.')) goesOn = true;
    if (turnEndOf(record) === undefined) continue;
    const isSaid = !named.type.startsWith('user.') && !goesOn;
    if (isSaid) return { upto: record.number, turnId: undefined };
    return { upto: takenUp === undefined ? number : takenUp - 1, turnId: named.turnId };
  }
  if (named === undefined) throw eventGone(eventId);
  throw new RoundhouseError(
    'session_busy',
    `The turn of the event ${eventId} has not ended: a fork begins at a complete point. Fork from an event before it, or when it has ended.`,
  );
}

/**
 * What the transcript calls the prompts that a fork must not know, in their order: those of turns that had not ended by then.
 * Every prompt is in the log before it is in the transcript.
 */
export async function promptsBehind(
  store: Log,
  sessionId: string,
  { upto, turnId }: ForkPoint,
): Promise<string[]> {
  const ended = new Set<string | null>();
  const behind: EventRecord[] = [];
  for await (const record of marksBackwards(store, sessionId)) {
    if (record.detail.delivered === true) {
      const complete = record.number <= upto && ended.has(record.turnId);
      if (!complete) behind.unshift(record);
      // Turns run one after the other: what was taken up before this one had ended by then.
      if (record.number <= upto) return behind.map(promptOf);
    } else if (record.number <= upto && turnEndOf(record) !== undefined) {
      ended.add(record.turnId);
    }
  }
  // The log has lost its beginning. Only a turn that goes on over the point could have been taken up in it.
  const known = turnId === undefined || behind.some((record) => record.turnId === turnId);
  if (known || !(await isTrimmed(store, sessionId))) return behind.map(promptOf);
  throw new RoundhouseError(
    'not_found',
    'The beginning of that turn is gone (pool.retention), and with it where to cut. Fork from an event of a later turn.',
  );
}

function promptOf({ number, detail }: EventRecord): string {
  if (detail.transcriptUuid !== undefined) return detail.transcriptUuid;
  throw new RoundhouseError(
    'unsupported_field',
    `The turn of event ${number} was written by an earlier version of the server, which did not note where it begins in the transcript: the session can be forked from its end only.`,
  );
}

async function* recordsFrom(
  store: Log,
  sessionId: string,
  number: number,
): AsyncGenerator<EventRecord> {
  for (let beyond: number | null = number - 1; beyond !== null;) {
    const page: EventPage = await readPage(store, sessionId, { order: 'asc', beyond, ...PAGE });
    yield* page.records;
    beyond = page.next;
    if (beyond !== null) await letOthersRun();
  }
}

async function* marksBackwards(store: Log, sessionId: string): AsyncGenerator<EventRecord> {
  let beyond: number | undefined;
  do {
    const query = { order: 'desc', types: MARKS, beyond, ...PAGE } as const;
    const page: EventPage = await readPage(store, sessionId, query);
    yield* page.records;
    beyond = page.next ?? undefined;
    if (beyond !== undefined) await letOthersRun();
  } while (beyond !== undefined);
}

/** What a fork knows is decided by its records: none of them may be missing. */
async function readPage(store: Log, sessionId: string, query: EventQuery): Promise<EventPage> {
  const page = await store.listEvents(sessionId, query);
  if (page.damaged.length === 0) return page;
  throw new RoundhouseError(
    'storage_failed',
    `Event ${page.damaged[0]} of the session is damaged in the store: nobody can tell what a fork would know. Restore a backup.`,
  );
}

async function isTrimmed(store: Log, sessionId: string): Promise<boolean> {
  const { records } = await readPage(store, sessionId, { order: 'asc', ...PAGE, limit: 1 });
  return records[0] !== undefined && records[0].number > 1;
}

function eventGone(eventId: string): RoundhouseError {
  return new RoundhouseError(
    'not_found',
    `No event ${JSON.stringify(eventId.slice(0, 100))} is kept of this session: there never was one, or it is gone (pool.retention).`,
  );
}
