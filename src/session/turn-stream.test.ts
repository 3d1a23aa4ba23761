import { expect, test, vi } from 'vitest';
import { DEFAULT_TURN_LIMITS } from '../definitions/turn-limits.ts';
import { endBy, INTERRUPTED_BY_CLIENT } from './stop-cause.ts';
import { endRecords, promptRecord } from './turn-records.ts';
import { TurnStream, type WhenUnread } from './turn-stream.ts';
import { Turn } from './turn.ts';
import { SessionLog } from '../log/session-log.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { aSession } from '../../test/conformance/session-samples.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { text } from '../../test/support/pool-fixture.ts';

useFakeClock();

async function makeStream(whenUnread: WhenUnread) {
  const store = new MemorySessionStore();
  const row = await store.createSession(aSession({ id: 'sesn_1' }));
  const log = new SessionLog({
    sessionId: row.id,
    epoch: row.epoch,
    lastNumber: 0,
    store,
    telemetry: NO_TELEMETRY,
  });
  const turn = new Turn({
    content: text('hello'),
    model: undefined,
    agentOptions: {},
    limits: DEFAULT_TURN_LIMITS,
    telemetry: NO_TELEMETRY,
    onLimit: () => {},
  });
  await log.append([promptRecord(turn.id, turn.content, {})]);
  const onAbandoned = vi.fn<(turn: Turn) => void>();
  const stream = new TurnStream({
    turn,
    firstNumber: 1,
    log,
    whenUnread,
    interrupt: () => Promise.resolve(true),
    onAbandoned,
  });
  return { log, turn, stream, onAbandoned };
}

/** A reader that has seen the prompt, and how it leaves. */
async function read(stream: TurnStream): Promise<() => Promise<void>> {
  const leaving = new AbortController();
  const items = stream.read({ signal: leaving.signal });
  await items.next();
  const rest = items.next();
  return async () => {
    leaving.abort();
    await rest;
  };
}

test('by default a turn goes on when its last reader leaves', async () => {
  const { stream, onAbandoned } = await makeStream({ policy: 'continue' });
  const leave = await read(stream);
  await leave();
  await pass(600_000);
  expect(onAbandoned).not.toHaveBeenCalled();
});

test('where the prompt asked for it, the turn is given up when nobody has read it for the grace time', async () => {
  const { stream, turn, onAbandoned } = await makeStream({ policy: 'interrupt', graceMs: 5_000 });
  const [leaveFirst, leaveSecond] = [await read(stream), await read(stream)];
  await leaveFirst();
  await pass(60_000);
  expect(onAbandoned).not.toHaveBeenCalled();
  await leaveSecond();
  await pass(4_999);
  expect(onAbandoned).not.toHaveBeenCalled();
  await pass(1);
  expect(onAbandoned).toHaveBeenCalledExactlyOnceWith(turn);
});

test('a reader that comes back in time saves the turn', async () => {
  const { stream, onAbandoned } = await makeStream({ policy: 'interrupt', graceMs: 5_000 });
  await (
    await read(stream)
  )();
  await pass(4_999);
  const leave = await read(stream);
  await pass(60_000);
  expect(onAbandoned).not.toHaveBeenCalled();
  await leave();
  await pass(5_000);
  expect(onAbandoned).toHaveBeenCalledOnce();
});

test('a turn that nobody has begun to read is not given up', async () => {
  const { onAbandoned } = await makeStream({ policy: 'interrupt', graceMs: 0 });
  await pass(60_000);
  expect(onAbandoned).not.toHaveBeenCalled();
});

test('the reader of a turn that has ended leaves nothing behind', async () => {
  const { log, stream, turn, onAbandoned } = await makeStream({ policy: 'interrupt', graceMs: 0 });
  const end = endBy(INTERRUPTED_BY_CLIENT, 'interrupted');
  const items: unknown[] = [];
  const reading = (async () => {
    for await (const item of stream) items.push(item.record?.type);
  })();
  await settle();
  expect(stream.released).toBe(false);
  await log.append(endRecords(turn.id, end, true));
  turn.finish(end);
  await reading;
  await pass(60_000);
  expect(items).toEqual(['user.message', 'session.status_idle']);
  expect(stream.released).toBe(true);
  expect(onAbandoned).not.toHaveBeenCalled();
});
