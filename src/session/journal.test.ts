import { expect, test, vi } from 'vitest';
import { Journal } from './journal.ts';
import { DEFAULT_TURN_LIMITS } from '../definitions/turn-limits.ts';
import { endBy, INTERRUPTED_BY_CLIENT } from './stop-cause.ts';
import { promptRecord } from './turn-records.ts';
import { Turn } from './turn.ts';
import { RoundhouseError } from '../errors.ts';
import { turnEndOf, type TurnEnd } from '../events/record.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { aSession } from '../../test/conformance/session-samples.ts';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { text } from '../../test/support/pool-fixture.ts';

useFakeClock();

const END: TurnEnd = {
  ...endBy(INTERRUPTED_BY_CLIENT, 'interrupted'),
  usage: {
    inputTokens: 10,
    outputTokens: 5,
    cacheReadInputTokens: 0,
    cacheCreationInputTokens: 0,
    costUsd: 1,
  },
};

async function makeJournal() {
  const store = new MemorySessionStore();
  const row = await store.createSession(aSession({ id: 'sesn_1' }));
  const journal = new Journal({ row, lastNumber: 0, store, telemetry: NO_TELEMETRY });
  const failAppends = (
    times: number,
    code: 'storage_failed' | 'session_moved' = 'storage_failed',
  ) => {
    const append = vi.spyOn(store, 'append');
    for (let time = 0; time < times; time += 1)
      append.mockRejectedValueOnce(new RoundhouseError(code, 'no'));
  };
  const turns = async (): Promise<[string, (string | null)[]]> => {
    const records = await store.readEvents('sesn_1', 0, 100);
    const ends = records.filter((record) => turnEndOf(record) !== undefined);
    return [records.map(({ type }) => type).join(' '), ends.map(({ turnId }) => turnId)];
  };
  return { store, journal, failAppends, turns };
}

function makeTurn(): Turn {
  return new Turn({
    content: text('hello'),
    model: undefined,
    agentOptions: {},
    limits: DEFAULT_TURN_LIMITS,
    telemetry: NO_TELEMETRY,
    onLimit: () => {},
  });
}

function prompted(journal: Journal, turn: Turn) {
  return journal.append([promptRecord(turn.id, turn.content, {})], (row) => ({
    turnCount: row.turnCount + 1,
  }));
}

test('appends at the same time lose nothing of each other: every prompt and all usage is counted', async () => {
  const { store, journal } = await makeJournal();
  const turns = [makeTurn(), makeTurn(), makeTurn()];
  await Promise.all(turns.map((turn) => prompted(journal, turn)));
  await Promise.all(turns.map((turn) => journal.appendEnd(turn, END, true)));
  expect(journal.row).toMatchObject({ turnCount: 3, usage: { inputTokens: 30, costUsd: 3 } });
  expect(await store.getSession('sesn_1')).toEqual(journal.row);
});

test('an append that fails changes nothing of the row, here and in the store', async () => {
  const { store, journal, failAppends } = await makeJournal();
  failAppends(1);
  await expect(prompted(journal, makeTurn())).rejects.toMatchObject({ code: 'storage_failed' });
  expect(journal.row.turnCount).toBe(0);
  await prompted(journal, makeTurn());
  expect((await store.getSession('sesn_1'))?.turnCount).toBe(1);
});

test('an end that the store would not take is told to the readers, and goes before anything else later', async () => {
  const { journal, failAppends, turns } = await makeJournal();
  const [first, second] = [makeTurn(), makeTurn()];
  await prompted(journal, first);
  const shown: unknown[] = [];
  const reading = (async () => {
    for await (const item of journal.log.read({ after: 1 })) shown.push(item);
  })().catch((error: unknown) => error);
  await settle();
  failAppends(2);
  await journal.appendEnd(first, END, true);
  expect(await reading).toMatchObject({ code: 'storage_failed' });
  expect(shown).toEqual([]);
  await expect(prompted(journal, second)).rejects.toMatchObject({ code: 'storage_failed' });
  const [written] = await prompted(journal, second);
  expect(written).toMatchObject({ number: 3, type: 'user.message', turnId: second.id });
  expect(await turns()).toEqual(['user.message session.status_idle user.message', [first.id]]);
});

test('what is owed can be settled without anything new, and is settled once', async () => {
  const { journal, failAppends, turns } = await makeJournal();
  const turn = makeTurn();
  await prompted(journal, turn);
  failAppends(2);
  await journal.appendEnd(turn, END, true);
  await journal.settle();
  expect((await turns())[1]).toEqual([]);
  await journal.settle();
  await journal.settle();
  expect((await turns())[1]).toEqual([turn.id]);
});

test('an owner that has lost the session owes nothing to its log', async () => {
  const { journal, failAppends, turns } = await makeJournal();
  const turn = makeTurn();
  await prompted(journal, turn);
  failAppends(1, 'session_moved');
  await journal.appendEnd(turn, END, true);
  await prompted(journal, makeTurn());
  expect((await turns())[1]).toEqual([]);
});

test('a stale transcript is noted at once here, and in the store as soon as it works', async () => {
  const { store, journal, failAppends } = await makeJournal();
  failAppends(1);
  await journal.noteStaleTranscript('/processes/p1');
  expect(journal.row.staleTranscriptFolder).toBe('/processes/p1');
  expect((await store.getSession('sesn_1'))?.staleTranscriptFolder).toBeNull();
  await prompted(journal, makeTurn());
  expect((await store.getSession('sesn_1'))?.staleTranscriptFolder).toBe('/processes/p1');
  await journal.patch({ staleTranscriptFolder: null });
  await prompted(journal, makeTurn());
  expect((await store.getSession('sesn_1'))?.staleTranscriptFolder).toBeNull();
});
