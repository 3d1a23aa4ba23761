import { expect, test, vi } from 'vitest';
import { SessionLog, type SessionLogParts } from './session-log.ts';
import type { SessionPatch } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import type { LogItem, Preview } from '../events/preview.ts';
import { NO_USAGE, type EventRecord, type NewRecord } from '../events/record.ts';
import { NO_TELEMETRY, type Metrics } from '../telemetry/telemetry.ts';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

/** A store for one session: what it has taken, and what is still under way. */
class RecordStore {
  readonly records: EventRecord[] = [];
  readonly patches: (SessionPatch | undefined)[] = [];
  /** Appends that fail, by the text of their first record. */
  readonly refused = new Set<string>();
  /** Set to hold appends back until it settles. */
  gate: Promise<void> | undefined;

  append = async (
    _id: string,
    _epoch: number,
    records: readonly EventRecord[],
    patch?: SessionPatch,
  ): Promise<void> => {
    const [first] = records;
    const gate = this.gate;
    await Promise.resolve();
    if (first !== undefined && this.refused.has(textOf({ record: first })))
      throw new RoundhouseError('storage_failed', 'no');
    this.records.push(...records);
    this.patches.push(patch);
    await gate;
  };

  /** How many records each page had. */
  readonly pages: number[] = [];

  readEvents = async (
    _id: string,
    after: number,
    limit: number,
    maxBytes = Infinity,
  ): Promise<EventRecord[]> => {
    await Promise.resolve();
    let bytes = 0;
    const page = this.records
      .filter(({ number }) => number > after)
      .slice(0, limit)
      .filter((kept, index) => {
        bytes += JSON.stringify(kept).length;
        return index === 0 || bytes <= maxBytes;
      });
    this.pages.push(page.length);
    return page;
  };
}

function makeLog(parts: Partial<SessionLogParts> = {}) {
  const store = new RecordStore();
  const log = new SessionLog({
    sessionId: 'sesn_1',
    epoch: 1,
    lastNumber: 0,
    store,
    telemetry: NO_TELEMETRY,
    ...parts,
  });
  return { store, log };
}

function record(text: string, turnId = 'turn_1', ends = false): NewRecord {
  return {
    turnId,
    body: {
      type: 'agent.message',
      id: `sevt_${text}`,
      processed_at: '2026-11-22T10:00:00Z',
      content: [{ type: 'text', text }],
    },
    detail: ends
      ? { turnEnd: { reason: 'completed', usage: NO_USAGE, modelRequests: 1, stopReason: null } }
      : { modelMessageId: 'msg_1', blockIndex: 0 },
  };
}

function delta(text: string): Preview {
  return { kind: 'text_delta', messageId: 'msg_1', index: 0, text };
}

const START: Preview = { kind: 'message_start', messageId: 'msg_1', model: 'm', inputTokens: 1 };
const OPEN: Preview = {
  kind: 'block_start',
  messageId: 'msg_1',
  index: 0,
  block: { type: 'text' },
  eventId: 'sevt_0',
};
const STOP: Preview = { kind: 'block_stop', messageId: 'msg_1', index: 0 };

/** A record's text, or a preview's kind. */
function textOf(item: LogItem): string {
  if (item.gap !== undefined) return `gap ${item.gap.from}-${item.gap.to}`;
  if (item.record === undefined)
    return item.preview.kind === 'text_delta' ? `+${item.preview.text}` : item.preview.kind;
  const { body } = item.record;
  if (body.type !== 'agent.message') return body.type;
  return body.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
}

/** Reads in the background; `seen` grows, `done` settles with how it ended. */
function follow(items: AsyncIterable<LogItem>) {
  const seen: string[] = [];
  const work = async (): Promise<void> => {
    for await (const item of items) seen.push(textOf(item));
  };
  return {
    seen,
    done: work().then(
      () => 'ended',
      (error: unknown) => error,
    ),
  };
}

test('records are numbered without gaps, in the order of the calls, from the last one in the store', async () => {
  const { store, log } = makeLog({ lastNumber: 7 });
  const written = await Promise.all([
    log.append([record('a'), record('b')]),
    log.append([record('c')]),
  ]);
  expect(written.flat().map(({ number }) => number)).toEqual([8, 9, 10]);
  expect(store.records.map((kept) => textOf({ record: kept }))).toEqual(['a', 'b', 'c']);
  expect(log.lastNumber).toBe(10);
});

test('an append that fails takes no number, shows nothing, and stops nobody behind it', async () => {
  const { store, log } = makeLog();
  store.refused.add('b');
  const reader = follow(log.read({ after: 0 }));
  const outcomes = await Promise.allSettled([
    log.append([record('a')]),
    log.append([record('b'), record('b2')]),
    log.append([record('c')]),
  ]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(outcomes[1]).toMatchObject({ reason: { code: 'storage_failed' } });
  expect(store.records.map(({ number }) => number)).toEqual([1, 2]);
  await settle();
  expect(reader.seen).toEqual(['a', 'c']);
});

test('a patch that is a function is called when its turn to be written has come, and told when it is kept', async () => {
  const kept: SessionPatch[] = [];
  let turnCount = 0;
  const { store, log } = makeLog({
    onPatched: (patch) => {
      kept.push(patch);
      turnCount = patch.turnCount ?? turnCount;
    },
  });
  store.refused.add('b');
  const count = (): SessionPatch => ({ turnCount: turnCount + 1 });
  await Promise.allSettled(['a', 'b', 'c'].map((name) => log.append([record(name)], count)));
  expect(kept).toEqual([{ turnCount: 1 }, { turnCount: 2 }]);
});

test('no reader sees a record before it is in the store', async () => {
  const { store, log } = makeLog();
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  const reader = follow(log.read({ after: 0 }));
  const appended = log.append([record('a')]);
  await settle();
  expect(reader.seen).toEqual([]);
  gate.resolve();
  await appended;
  await settle();
  expect(reader.seen).toEqual(['a']);
});

test('previews keep their place among the records that are being written', async () => {
  const { store, log } = makeLog();
  const reader = follow(log.read({ after: 0 }));
  await settle();
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  void log.append([record('a')]);
  log.previews('turn_1', [START]);
  void log.append([record('b')]);
  log.previews('turn_1', [OPEN]);
  await settle();
  expect(reader.seen).toEqual([]);
  gate.resolve();
  await settle();
  expect(reader.seen).toEqual(['a', 'message_start', 'b', 'block_start']);
});

test('a late reader gets everything from the number it names, over pages, then the live tail, none twice', async () => {
  const { log } = makeLog();
  const names = Array.from({ length: 1_203 }, (_, index) => `r${index + 1}`);
  await log.append(names.map((name) => record(name)));
  const reader = follow(log.read({ after: 3 }));
  // While it catches up, more is written.
  for (let index = 1_204; index <= 1_210; index += 1) await log.append([record(`r${index}`)]);
  await settle();
  await log.append([record('r1211')]);
  await settle();
  expect(reader.seen).toEqual(Array.from({ length: 1_208 }, (_, index) => `r${index + 4}`));
});

test('a reader that pauses on a page misses nothing and gets nothing twice', async () => {
  const { log } = makeLog();
  await log.append([record('r1'), record('r2')]);
  const reader = log.read({ after: 0 });
  const first = await reader.next();
  await log.append([record('r3')]);
  const rest = [await reader.next(), await reader.next()];
  const items = [first, ...rest].flatMap(({ value }) =>
    value === undefined ? [] : [textOf(value)],
  );
  expect(items).toEqual(['r1', 'r2', 'r3']);
});

test('a reader that names a number which is not there yet gets only what comes after it', async () => {
  const { log } = makeLog();
  const reader = follow(log.read({ after: 2 }));
  await settle();
  for (const name of ['r1', 'r2', 'r3']) await log.append([record(name)]);
  await settle();
  expect(reader.seen).toEqual(['r3']);
});

test('a reader that joins in the middle of a message is first shown what was written of it', async () => {
  const { log } = makeLog();
  log.previews('turn_1', [START]);
  log.previews('turn_1', [OPEN]);
  for (const part of ['one ', 'two ']) log.previews('turn_1', [delta(part)]);
  const reader = follow(log.read({ after: 0 }));
  await settle();
  log.previews('turn_1', [delta('three')]);
  log.previews('turn_1', [STOP]);
  await log.append([record('one two three')]);
  await settle();
  expect(reader.seen).toEqual([
    'message_start',
    'block_start',
    '+one two ',
    '+three',
    'block_stop',
    'one two three',
  ]);
  // What has its record is not previewed again; the message itself is still open.
  const later = follow(log.read({ after: 1 }));
  await settle();
  expect(later.seen).toEqual(['message_start']);
  await log.append([record('end', 'turn_1', true)]);
  const last = follow(log.read({ after: 2 }));
  await settle();
  expect(last.seen).toEqual([]);
});

test('no preview follows the record that completes it, also for a reader who joins while that is being written', async () => {
  const { store, log } = makeLog();
  log.previews('turn_1', [START]);
  log.previews('turn_1', [OPEN]);
  await log.append([{ ...record('before'), detail: {} }]);
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  void log.append([record('block')]);
  await settle();
  // The store has the record, readers have not been given it yet.
  expect(store.records).toHaveLength(2);
  const reader = follow(log.read({ after: 0 }));
  await settle();
  gate.resolve();
  await settle();
  expect(reader.seen).toEqual(['before', 'message_start', 'block_start', 'block']);
});

test('a reader of one turn gets its items only, and ends with the record that ends it', async () => {
  const { log } = makeLog();
  await log.append([record('a1', 'turn_a'), record('b1', 'turn_b')]);
  const live = follow(log.read({ after: 0, turnId: 'turn_a' }));
  await settle();
  log.previews('turn_b', [START]);
  log.previews('turn_a', [START]);
  await log.append([record('b2', 'turn_b', true), record('a2', 'turn_a', true)]);
  await log.append([record('a3', 'turn_a')]);
  expect(await live.done).toBe('ended');
  expect(live.seen).toEqual(['a1', 'message_start', 'a2']);
  const late = follow(log.read({ after: 0, turnId: 'turn_a' }));
  expect(await late.done).toBe('ended');
  expect(late.seen).toEqual(['a1', 'a2']);
});

test('a reader that does not drain is cut with reader_too_slow, counted, and can come back', async () => {
  const count = vi.fn<Metrics['count']>();
  const { log } = makeLog({
    tailLimits: { maxItems: 3, maxLagMs: 60_000, maxBytes: 1_000_000 },
    telemetry: { ...NO_TELEMETRY, metrics: { ...NO_TELEMETRY.metrics, count } },
  });
  const slow = log.read({ after: 0 });
  const quick = follow(log.read({ after: 0 }));
  const first = slow.next();
  await settle();
  for (let index = 1; index <= 6; index += 1) {
    await log.append([record(`r${index}`)]);
    await settle();
  }
  await first;
  await expect(slow.next()).rejects.toMatchObject({ code: 'reader_too_slow' });
  expect(count).toHaveBeenCalledExactlyOnceWith('roundhouse_readers_cut_total');
  expect(log.readerCount).toBe(1);
  expect(quick.seen).toHaveLength(6);
  const back = follow(log.read({ after: 1 }));
  await settle();
  expect(back.seen).toEqual(['r2', 'r3', 'r4', 'r5', 'r6']);
});

test('a signal ends a reader without an error, and nothing is shown after it', async () => {
  const { log } = makeLog();
  await log.append([record('r1'), record('r2'), record('r3')]);
  const leaving = new AbortController();
  const seen: string[] = [];
  for await (const item of log.read({ after: 0, signal: leaving.signal })) {
    seen.push(textOf(item));
    if (seen.length === 2) leaving.abort();
  }
  expect(seen).toEqual(['r1', 'r2']);
  const live = new AbortController();
  const reader = follow(log.read({ after: 3, signal: live.signal }));
  await settle();
  expect(log.readerCount).toBe(1);
  live.abort();
  expect(await reader.done).toBe('ended');
  expect(log.readerCount).toBe(0);
});

test('a reader that breaks off is forgotten', async () => {
  const { log } = makeLog();
  await log.append([record('r1')]);
  for await (const item of log.read({ after: 0 })) {
    expect(textOf(item)).toBe('r1');
    break;
  }
  const live = log.read({ after: 1 });
  const next = live.next();
  await settle();
  await log.append([record('r2')]);
  await next;
  await live.return();
  expect(log.readerCount).toBe(0);
});

test('a cut ends the readers of now; who comes later finds the log as it is', async () => {
  const { log } = makeLog();
  const reader = follow(log.read({ after: 0 }));
  await settle();
  log.cut(new RoundhouseError('storage_failed', 'no'));
  expect(await reader.done).toMatchObject({ code: 'storage_failed' });
  const later = follow(log.read({ after: 0 }));
  await log.append([record('r1')]);
  await settle();
  expect(later.seen).toEqual(['r1']);
});

test('a closed log takes appends, shows what is kept, and ends every reader with its reason', async () => {
  const { log } = makeLog();
  const reader = follow(log.read({ after: 0 }));
  await settle();
  log.close(new RoundhouseError('draining', 'closing'));
  log.close(new RoundhouseError('internal', 'later'));
  expect(await reader.done).toMatchObject({ code: 'draining' });
  await log.append([record('r1', 'turn_1', true)]);
  const later = follow(log.read({ after: 0 }));
  expect(await later.done).toMatchObject({ code: 'draining' });
  expect(later.seen).toEqual(['r1']);
  // Who only wants a turn that has ended gets all of it.
  const ofTurn = follow(log.read({ after: 0, turnId: 'turn_1' }));
  expect(await ofTurn.done).toBe('ended');
});

test('a reader is told first what is gone, and then gets the rest', async () => {
  const { store, log } = makeLog();
  await log.append(['r1', 'r2', 'r3', 'r4'].map((text) => record(text)));
  store.records.splice(0, 2);
  const all = follow(log.read({ after: 0 }));
  const middle = follow(log.read({ after: 1 }));
  const rest = follow(log.read({ after: 2 }));
  await settle();
  await log.append([record('r5')]);
  await settle();
  expect(all.seen).toEqual(['gap 1-2', 'r3', 'r4', 'r5']);
  expect(middle.seen).toEqual(['gap 2-2', 'r3', 'r4', 'r5']);
  expect(rest.seen).toEqual(['r3', 'r4', 'r5']);
});

test('behind a gap too, no record is shown before it was published', async () => {
  const { store, log } = makeLog();
  await log.append(['r1', 'r2', 'r3'].map((text) => record(text)));
  store.records.splice(0, 2);
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  const written = log.append([record('r4')]);
  await settle();
  log.previews('turn_1', [START]);
  const reader = follow(log.read({ after: 0 }));
  await settle();
  expect(store.records).toHaveLength(2);
  expect(reader.seen).toEqual(['gap 1-2', 'r3']);
  gate.resolve();
  await written;
  await settle();
  expect(reader.seen).toEqual(['gap 1-2', 'r3', 'r4', 'message_start']);
});

test('the reader of a turn that is gone, or partly, ends behind the gap', async () => {
  const { store, log } = makeLog();
  await log.append([record('a1', 'turn_a'), record('a2', 'turn_a'), record('a3', 'turn_a', true)]);
  await log.append([record('b1', 'turn_b')]);
  store.records.splice(0, 1);
  const partly = follow(log.read({ after: 0, turnId: 'turn_a' }));
  expect(await partly.done).toBe('ended');
  expect(partly.seen).toEqual(['gap 1-1', 'a2', 'a3']);
  store.records.splice(0, 2);
  const gone = follow(log.read({ after: 0, turnId: 'turn_a' }));
  expect(await gone.done).toBe('ended');
  expect(gone.seen).toEqual(['gap 1-3']);
});

test.each([
  ['x', 1],
  // Two bytes for each character, as one beyond Latin-1 makes it.
  ['я', 2],
])(
  'what waits for a stalled reader is bounded in bytes, whatever is written: %s',
  async (letter, charBytes) => {
    const maxBytes = 100_000;
    const { log } = makeLog({ tailLimits: { maxItems: 10_000, maxLagMs: 60_000, maxBytes } });
    const stalled = log.read({ after: 0 });
    const first = stalled.next();
    await settle();
    const text = letter.repeat(10_000);
    const bytes = charBytes * text.length;
    let offered = 0;
    while (log.readerCount > 0) {
      log.previews('turn_1', [delta(text)]);
      offered += bytes;
      expect(offered).toBeLessThanOrEqual(maxBytes + bytes);
    }
    expect(offered).toBeGreaterThan(maxBytes / 2);
    // What it had been given by then is dropped with the rest.
    await expect(first).rejects.toMatchObject({ code: 'reader_too_slow' });
  },
);

test('a reader of batches gets what is there at once, and what came meanwhile with the next', async () => {
  const { log } = makeLog();
  await log.append([record('a'), record('b')]);
  const batches = log.readBatches({ after: 0 });
  const next = async (): Promise<string[]> => ((await batches.next()).value ?? []).map(textOf);
  expect(await next()).toEqual(['a', 'b']);
  const waiting = next();
  await settle();
  log.previews('turn_1', [START]);
  log.previews('turn_1', [OPEN]);
  expect(await waiting).toEqual(['message_start', 'block_start']);
  log.previews('turn_1', [delta('one')]);
  await log.append([record('c')]);
  log.previews('turn_1', [delta('two')]);
  await settle();
  expect(await next()).toEqual(['+one', 'c', '+two']);
  await batches.return();
  expect(log.readerCount).toBe(0);
});

test('a reader of single items that leaves gets none of the rest of a batch', async () => {
  const { log } = makeLog();
  await log.append([record('a'), record('b')]);
  const leaving = new AbortController();
  const items = log.read({ after: 0, signal: leaving.signal });
  expect((await items.next()).value).toMatchObject({ record: { number: 1 } });
  leaving.abort();
  expect(await items.next()).toEqual({ value: undefined, done: true });
});

test('a page of the past is bounded in bytes as what waits is, and nothing is left out', async () => {
  const tailLimits = { maxItems: 10_000, maxLagMs: 60_000, maxBytes: 50_000 };
  const { store, log } = makeLog({ tailLimits });
  // Each is in its record twice: its id has it too.
  const texts = ['a', 'b', 'c', 'd', 'e'].map((letter) => letter.repeat(10_000));
  await log.append(texts.map((text) => record(text)));
  const reader = follow(log.read({ after: 0 }));
  await settle();
  expect(reader.seen).toEqual(texts);
  expect(store.pages).toEqual([2, 2, 1]);
});
