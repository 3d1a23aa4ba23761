import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import type { SessionRow } from '../../src/contracts/session-store.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import type { SqlSessionStore } from '../../src/store/sql/sql-session-store.ts';
import { letOthersRun } from '../../src/time/timers.ts';
import { aPrompt, aRecord, aSession, anEntry, failsWith } from '../conformance/session-samples.ts';

/** What is done to a whole session, however long it is: in steps, so that the event loop never stands still for it. */

const NOTHING = async (): Promise<void> => {};

let path: string;

beforeEach(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-sqlite-'));
  path = join(folder, 'roundhouse.db');
  return () => rm(folder, { recursive: true, force: true });
});

async function opened(): Promise<SqlSessionStore> {
  const store = await openSqliteStore({ path });
  onTestFinished(() => store.close());
  return store;
}

/** A session with so many records, each a turn of its own, that say `text`. */
async function sessionOf(store: SqlSessionStore, count: number, text = ''): Promise<SessionRow> {
  const row = await store.createSession(aSession({ name: 'long' }));
  const records = Array.from({ length: count }, (_, index) =>
    aRecord(row.id, index + 1, { turnId: `turn_${index}`, text: `${index + 1}${text}` }),
  );
  await store.append(row.id, row.epoch, records);
  return row;
}

/** Waits for `work`, and looks at what others find each time that they can run. */
async function whileOthersRun<T>(work: Promise<T>, look: () => Promise<void>): Promise<T> {
  const state = { done: false };
  const done = work.finally(() => {
    state.done = true;
  });
  while (!state.done) {
    await letOthersRun();
    await look();
  }
  return done;
}

/** Reads from outside of the store. */
function rowsOf(query: string, ...parameters: string[]): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare(query).all(...parameters);
  database.close();
  return rows;
}

function eventsOf(id: string): number {
  return rowsOf('select 1 from events where session_id = ?', id).length;
}

/** The differences between one number and the next. */
function changes(numbers: readonly number[]): number[] {
  return numbers.slice(1).map((number, index) => Math.abs(number - (numbers[index] ?? 0)));
}

it.each([
  ['250 records', 1_030, '', 250],
  ['a megabyte', 12, 'x'.repeat(300_000), 3],
])('is forked in steps of %s, between which others run', async (_what, count, text, most) => {
  const store = await opened();
  const { id } = await sessionOf(store, count, text);
  const session = aSession();
  const seen = [0];
  const fork = store.forkSession(session, { sessionId: id, upto: count }, NOTHING);
  const row = await whileOthersRun(fork, async () => {
    seen.push(eventsOf(session.id));
  });
  expect(Math.max(...changes(seen))).toBe(most);
  expect(seen.at(-1)).toBe(count);
  const originals = await store.readEvents(id, 0, 10_000);
  expect(await store.readEvents(row.id, 0, 10_000)).toEqual(
    originals.map((record) => ({ ...record, sessionId: row.id })),
  );
  const [one, other] = rowsOf('select event_bytes from sessions');
  expect(one).toEqual(other);
});

it('leaves no hole in its fork when it is trimmed meanwhile', async () => {
  const store = await opened();
  const { id } = await sessionOf(store, 1_030);
  const session = aSession();
  let trimmed = 0;
  const fork = store.forkSession(session, { sessionId: id, upto: 1_030 }, NOTHING);
  const row = await whileOthersRun(fork, async () => {
    if (trimmed > 0 || eventsOf(session.id) < 500) return;
    ({ removed: trimmed } = await store.trimEvents(id, { maxEvents: 130 }, 10_000));
  });
  expect(trimmed).toBe(900);
  const copies = await store.readEvents(row.id, 0, 10_000);
  expect(copies.map(({ number, body }) => [number, body.id])).toEqual(
    Array.from({ length: 130 }, (_, index) => [index + 1, `sevt_${index + 901}`]),
  );
});

it('leaves nothing of its fork when the host dies on the way', async () => {
  const file = fileURLToPath(new URL('fixtures/store-forker.ts', import.meta.url));
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file, path], {
    stdio: 'inherit',
  });
  await once(child, 'exit');
  expect(child.signalCode).toBe('SIGKILL');
  const counts = `select (select count(*) from sessions) as sessions, (select count(*) from events) as events,
    (select count(*) from transcript_entries) as entries`;
  // It has left something: else this would show nothing.
  expect(rowsOf(counts)).toEqual([{ sessions: 2, events: 3_000, entries: 1 }]);
  const store = await opened();
  expect(rowsOf(counts)).toEqual([{ sessions: 1, events: 2_000, entries: 0 }]);
  expect(await store.findSession('key-a', 'source')).toBeDefined();
});

it('is removed in steps, and found by nobody from the first on', async () => {
  const store = await opened();
  const { id, name, agentSessionId } = await sessionOf(store, 1_030);
  const entries = Array.from({ length: 600 }, (_, index) => anEntry(`uuid-${index}`, 'line'));
  for (const subpath of ['', 'subagents/agent-1'])
    await store.transcripts.append({ agentSessionId, subpath }, entries);
  const entriesLeft = (): number => rowsOf('select 1 from transcript_entries').length;
  const [events, transcripts] = [[1_030], [1_200]];
  await whileOthersRun(store.deleteSession(id), async () => {
    events.push(eventsOf(id));
    transcripts.push(entriesLeft());
    expect(await store.getSession(id)).toBeUndefined();
    expect((await store.listSessions({ limit: 10 })).sessions).toEqual([]);
    const late = store.append(id, 1, [aRecord(id, 1_031)]);
    await expect(late).rejects.toEqual(failsWith('session_not_found'));
  });
  expect(Math.max(...changes(events))).toBe(250);
  expect(Math.max(...changes(transcripts))).toBeLessThanOrEqual(350);
  expect([events.at(-1), transcripts.at(-1)]).toEqual([0, 0]);
  expect(rowsOf('select 1 from sessions')).toEqual([]);
  await store.createSession(aSession({ name }));
});

it('gives its name away as soon as its removal begins', async () => {
  const store = await opened();
  const { id, name } = await sessionOf(store, 1_030);
  const removal = store.deleteSession(id);
  await letOthersRun();
  expect(eventsOf(id)).toBeGreaterThan(0);
  await store.createSession(aSession({ name }));
  await removal;
});

it('is removed for its caller even where what it holds can not go now: that goes at the next start', async () => {
  const first = await openSqliteStore({ path });
  const { id } = await sessionOf(first, 300);
  const outside = new DatabaseSync(path);
  outside.exec(`create trigger stuck before delete on events begin select raise(fail, 'no'); end`);
  await first.deleteSession(id);
  expect(await first.getSession(id)).toBeUndefined();
  expect(eventsOf(id)).toBe(300);
  outside.exec('drop trigger stuck');
  outside.close();
  await first.close();
  await opened();
  expect([eventsOf(id), rowsOf('select 1 from sessions')]).toEqual([0, []]);
});

it('keeps no host from starting, nor a turn of it, when what is left of it can not go', async () => {
  const first = await openSqliteStore({ path });
  const { id } = await first.createSession(aSession());
  const outside = new DatabaseSync(path);
  outside.exec(`create trigger stuck before delete on events begin select raise(fail, 'no'); end`);
  outside.close();
  await first.append(id, 1, [aPrompt(id, 1, 'turn_1')], {
    staleTranscriptFolder: '/processes/gone',
  });
  expect(await first.unfinishedTurns()).toHaveLength(1);
  await first.deleteSession(id);
  await first.close();
  const second = await opened();
  expect(eventsOf(id)).toBe(1);
  expect(await second.unfinishedTurns()).toEqual([]);
  expect(await second.staleTranscriptFolders()).toEqual([]);
});
