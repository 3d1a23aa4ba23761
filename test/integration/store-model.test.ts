import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it, onTestFinished } from 'vitest';
import type {
  EventBounds,
  SessionPatch,
  SessionRow,
  SessionStore,
} from '../../src/contracts/session-store.ts';
import { RoundhouseError } from '../../src/errors.ts';
import { NO_USAGE } from '../../src/events/record.ts';
import type { EventRecord } from '../../src/events/record.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import {
  aDelivery,
  anEnd,
  anEntry,
  aPrompt,
  aRecord,
  aSession,
} from '../conformance/session-samples.ts';

/** A call on a store; `drift` values turn a right call into one that must be refused. */
type Command =
  | { kind: 'create'; session: number; tenant: string; name: string; second: number }
  | { kind: 'claim' | 'delete' | 'get' | 'last'; session: number }
  | { kind: 'find'; tenant: string; name: string }
  | {
      kind: 'append';
      session: number;
      epochDrift: number;
      numberDrift: number;
      records: { what: 'prompt' | 'delivery' | 'end' | 'text'; turn: number; text: string }[];
      patch: SessionPatch;
    }
  | {
      kind: 'trim';
      session: number;
      bounds: EventBounds;
      maxRecords: number;
    }
  | { kind: 'read'; session: number; after: number; limit: number }
  | {
      kind: 'list';
      tenant: string | undefined;
      sessionKind: SessionRow['kind'] | undefined;
      limit: number;
    }
  | { kind: 'unfinished' }
  | { kind: 'given'; session: number; turn: number }
  | { kind: 'transcript'; replace: boolean; session: number; subpath: string; entries: Entry[] }
  | { kind: 'load'; session: number; subpath: string };

interface Entry {
  uuid: number | null;
  value: unknown;
}

const session = fc.integer({ min: 0, max: 3 });
const tenant = fc.constantFrom('key-a', 'key-b');
const name = fc.constantFrom('one', 'two', 'ONE');
const subpath = fc.constantFrom('', 'sub', 'ünder');
/** Mostly none. */
const drift = fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.constantFrom(-1, 1, 2));
const patch: fc.Arbitrary<SessionPatch> = fc.record(
  {
    turnCount: fc.nat({ max: 100 }),
    activeMs: fc.nat(),
    staleTranscriptFolder: fc.option(fc.string({ unit: 'grapheme' })),
    usage: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }).map((costUsd) => ({
      ...NO_USAGE,
      costUsd,
    })),
    options: fc.record({ model: fc.string({ unit: 'binary' }) }),
    limits: fc.record({ startMs: fc.nat(), turnMs: fc.nat() }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    kind: fc.constant('create' as const),
    session,
    tenant,
    name,
    second: fc.nat({ max: 3 }),
  }),
  fc.record({ kind: fc.constantFrom('claim', 'delete', 'get', 'last'), session }),
  fc.record({ kind: fc.constant('find' as const), tenant, name }),
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      session,
      epochDrift: drift,
      numberDrift: drift,
      records: fc.array(
        fc.record({
          what: fc.constantFrom('prompt', 'delivery', 'end', 'text'),
          turn: fc.nat({ max: 2 }),
          text: fc.string({ unit: 'binary' }),
        }),
        { maxLength: 4 },
      ),
      patch,
    }),
  },
  fc.record({
    kind: fc.constant('trim' as const),
    session,
    bounds: fc.record(
      {
        maxEvents: fc.integer({ min: 1, max: 5 }),
        maxBytes: fc.nat({ max: 1_000 }),
        notBefore: fc.constantFrom('2026-01-01T00:00:00.000Z', '2999-01-01T00:00:00.000Z'),
      },
      { requiredKeys: [] },
    ),
    maxRecords: fc.integer({ min: 0, max: 4 }),
  }),
  fc.record({
    kind: fc.constant('read' as const),
    session,
    after: fc.nat({ max: 8 }),
    limit: fc.integer({ min: 0, max: 5 }),
  }),
  fc.record({
    kind: fc.constant('list' as const),
    tenant: fc.option(tenant, { nil: undefined }),
    sessionKind: fc.option(fc.constantFrom('named', 'one_shot'), { nil: undefined }),
    limit: fc.integer({ min: 1, max: 5 }),
  }),
  fc.record({ kind: fc.constant('unfinished' as const) }),
  fc.record({ kind: fc.constant('given' as const), session, turn: fc.nat({ max: 2 }) }),
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('transcript' as const),
      replace: fc.boolean(),
      session,
      subpath,
      entries: fc.array(fc.record({ uuid: fc.option(fc.nat({ max: 5 })), value: fc.jsonValue() }), {
        maxLength: 5,
      }),
    }),
  },
  fc.record({ kind: fc.constant('load' as const), session, subpath }),
);

/** The records of an append, numbered from `first`. */
function toRecords(
  sessionId: string,
  first: number,
  records: Extract<Command, { kind: 'append' }>['records'],
): EventRecord[] {
  return records.map(({ what, turn, text }, index) => {
    const number = first + index;
    const turnId = `turn_${turn}`;
    switch (what) {
      case 'prompt':
        return {
          ...aPrompt(sessionId, number, turnId),
          ...(text !== '' && { given: [{ type: 'text', text }] }),
        };
      case 'delivery':
        return aDelivery(sessionId, number, turnId);
      case 'end':
        return anEnd(sessionId, number, turnId);
      case 'text':
        return aRecord(sessionId, number, { turnId, text });
      default:
        return what satisfies never;
    }
  });
}

/** Calls `store`. `epoch` and `last` are what holds for the command's session now, by the model. */
function perform(
  store: SessionStore,
  command: Command,
  { epoch, last }: { epoch: number; last: number },
): Promise<unknown> {
  const id = 'session' in command ? `sesn_${command.session}` : '';
  const agentSessionId = `agent-of-${id}`;
  switch (command.kind) {
    case 'create':
      return store.createSession(
        aSession({
          id,
          agentSessionId,
          tenant: command.tenant,
          name: command.name,
          kind: command.session === 0 ? 'one_shot' : 'named',
          createdAt: `2026-01-01T00:00:0${command.second}.000Z`,
        }),
      );
    case 'claim':
      return store.claimSession(id, 'host-2');
    case 'delete':
      return store.deleteSession(id);
    case 'get':
      return store.getSession(id);
    case 'last':
      return store.lastEventNumber(id);
    case 'find':
      return store.findSession(command.tenant, command.name);
    case 'append': {
      const records = toRecords(id, last + 1 + command.numberDrift, command.records);
      return store.append(id, epoch + command.epochDrift, records, command.patch);
    }
    case 'trim':
      return store.trimEvents(id, command.bounds, command.maxRecords);
    case 'read':
      return store.readEvents(id, command.after, command.limit);
    case 'list':
      return everyPage(store, command);
    case 'unfinished':
      return store.unfinishedTurns();
    case 'given':
      return store.givenContent(id, `turn_${command.turn}`);
    case 'transcript': {
      const key = { agentSessionId, subpath: command.subpath };
      const entries = command.entries.map(({ uuid, value }) => ({
        ...anEntry(uuid === null ? undefined : `uuid-${uuid}`, 'text'),
        value,
      }));
      return command.replace
        ? store.transcripts.replace(key, entries)
        : store.transcripts.append(key, entries);
    }
    case 'load':
      return Promise.all([
        store.transcripts.load({ agentSessionId, subpath: command.subpath }),
        store.transcripts.listSubpaths(agentSessionId),
      ]);
    default:
      return command satisfies never;
  }
}

/** All pages of a listing, cursors included. */
async function everyPage(
  store: SessionStore,
  { tenant: of, sessionKind, limit }: Extract<Command, { kind: 'list' }>,
): Promise<unknown[]> {
  const pages: unknown[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.listSessions({
      limit,
      ...(of !== undefined && { tenant: of }),
      ...(sessionKind !== undefined && { kind: sessionKind }),
      ...(after !== undefined && { after }),
    });
    pages.push(page);
    if (page.next === null) return pages;
    after = page.next;
  }
}

/** The value of a call, or the code of its error: texts of errors may differ, codes may not. */
async function outcome(call: Promise<unknown>): Promise<unknown> {
  try {
    return { value: await call };
  } catch (error) {
    if (error instanceof RoundhouseError) return { code: error.code };
    throw error;
  }
}

it('is the same store to its callers in SQL and in memory, for any sequence of calls', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-model-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  let runs = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anyCommand, { maxLength: 40, size: 'max' }), async (commands) => {
      runs += 1;
      const memory = new MemorySessionStore();
      const sql = await openSqliteStore({ path: join(folder, `${runs}.db`) });
      try {
        for (const each of commands) {
          const id = 'session' in each ? `sesn_${each.session}` : '';
          const now = {
            epoch: (await memory.getSession(id))?.epoch ?? 1,
            last: await memory.lastEventNumber(id),
          };
          const expected = await outcome(perform(memory, each, now));
          expect(await outcome(perform(sql, each, now))).toEqual(expected);
        }
        expect(await sql.unfinishedTurns()).toEqual(await memory.unfinishedTurns());
      } finally {
        await sql.close();
      }
    }),
    { numRuns: 60 },
  );
});
