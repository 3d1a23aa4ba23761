import { expect, test, vi } from 'vitest';
import { poolOptionsSchema, type PoolOptionsInput } from './options.ts';
import { pass, oversleep, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, collect, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, HANGS_DEAF, NEVER_TAKEN, scriptOf, worksFor } from '../../test/support/scripts.ts';
import { RoundhouseError } from '../errors.ts';
import { sleep } from '../time/timers.ts';

/** The names that the seed's method logs. They are a contract: operators filter by them. */
const SEED_EVENTS = new Set([
  'session_pool_get_client_start',
  'session_pool_disabled',
  'session_pool_at_capacity',
  'session_pool_existing_session_found',
  'session_pool_interrupting_session',
  'session_pool_interrupt_completed',
  'session_pool_interrupt_timeout',
  'session_pool_active_stream_detected',
  'session_pool_first_chunk_timeout',
  'session_pool_interrupting_ongoing_timeout',
  'session_pool_interrupted_ongoing_timeout',
  'session_pool_interrupt_ongoing_not_needed',
  'session_pool_interrupt_ongoing_failed',
  'session_pool_clearing_recent_stream',
  'session_pool_stream_cleared',
  'session_expired',
  'session_unhealthy_recovering',
  'session_pool_reusing_healthy_session',
  'session_pool_creating_new_session',
  'session_pool_connection_failed',
  'session_pool_get_client_complete',
]);

/** The seed's log events of a fixture since the last call, as `name (level)`. */
function logOf(fixture: PoolFixture): () => string[] {
  let seen = 0;
  return () => {
    const lines = fixture.lines.slice(seen);
    seen = fixture.lines.length;
    return lines
      .filter(({ event }) => SEED_EVENTS.has(event))
      .map(({ event, level }) => `${event} (${level})`);
  };
}

const CALLED = 'session_pool_get_client_start (debug)';
const FOUND = 'session_pool_existing_session_found (debug)';
const STREAM = 'session_pool_active_stream_detected (debug)';
const CLEARED = 'session_pool_stream_cleared (debug)';
const REUSED = 'session_pool_reusing_healthy_session (debug)';
const CREATED = 'session_pool_creating_new_session (debug)';
const COMPLETE = 'session_pool_get_client_complete (debug)';

useFakeClock();

test('S1: every call begins with a log line that tells the id and the population of the pool', async () => {
  const fixture = makePool({ pool: { maxSessions: 7 } });
  await fixture.pool.getSessionClient('a');
  expect(fixture.lines[0]).toEqual({
    level: 'debug',
    event: 'session_pool_get_client_start',
    sessionId: 'a',
    poolEnabled: true,
    currentSessions: 0,
    maxSessions: 7,
    sessionExists: false,
  });
  const before = fixture.lines.length;
  await fixture.pool.getSessionClient('a');
  expect(fixture.lines[before]).toMatchObject({ currentSessions: 1, sessionExists: true });
});

test('S2: a disabled pool refuses with a configuration error and HTTP 500', async () => {
  const fixture = makePool({ pool: { enabled: false } });
  const log = logOf(fixture);
  const refusal = await fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    code: 'pool_disabled',
    message: 'Session pool is disabled',
    kind: { type: 'configuration_error', status: 500 },
  });
  expect(log()).toEqual([CALLED, 'session_pool_disabled (error)']);
});

test('S3: an unknown id on a full pool gets 503 with the limit, when nothing can be evicted and the wait is over', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1, waitMs: 10_000 },
    driver: { script: scriptOf({ long: worksFor(60_000) }) },
  });
  const busy = await fixture.pool.getSessionClient('busy');
  await busy.prompt(text('long'));
  await settle();
  const log = logOf(fixture);
  log();
  const refused = fixture.pool.getSessionClient('late').catch((error: unknown) => error);
  await pass(9_000);
  expect(log()).toEqual([CALLED, CREATED]);
  await pass(1_000);
  const refusal = await refused;
  expect(refusal).toMatchObject({
    code: 'pool_at_capacity',
    kind: { status: 503 },
    retryAfterSeconds: 1,
  });
  expect(String(refusal)).toContain('all 1 agent processes');
  expect(log()).toEqual(['session_pool_at_capacity (error)']);
  expect(fixture.line('session_pool_at_capacity')).toMatchObject({
    sessionId: 'late',
    currentSessions: 1,
    maxSessions: 1_000,
  });
});

test('S3: resident sessions have a limit of their own, and the refusal names it', async () => {
  const fixture = makePool({
    pool: { maxSessions: 1, waitMs: 2_000 },
    driver: { script: scriptOf({ long: worksFor(60_000) }) },
  });
  const busy = await fixture.pool.getSessionClient('busy');
  await busy.prompt(text('long'));
  const refused = fixture.pool.getSessionClient('late').catch((error: unknown) => error);
  await pass(2_000);
  expect(String(await refused)).toContain('all 1 resident sessions');
});

test('S4: the conversation continues: earlier turns are in the agent context', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  await ask(fixture, 'a', 'two');
  expect(await ask(fixture, 'a', 'three')).toBe('You said: three. Before: one | two.');
  expect(fixture.driver.processes).toHaveLength(1);
});

test('S5: a known id is looked at before it is reused', async () => {
  const fixture = makePool();
  const { clientId } = await fixture.pool.getSessionClient('a');
  await fixture.pool.getSessionClient('a');
  expect(fixture.line('session_pool_existing_session_found')).toMatchObject({
    level: 'debug',
    sessionId: 'a',
    clientId,
    sessionStatus: 'idle',
  });
});

test('S6: a session that is being interrupted is waited for, and given out under a new client id on the same process', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('long'));
  await settle();
  slowInterrupts(fixture, 3_000);
  const interrupted = handle.interrupt();
  const log = logOf(fixture);
  log();
  const again = fixture.pool.getSessionClient('a');
  await pass(2_999);
  expect(log()).toEqual([CALLED, FOUND, 'session_pool_interrupting_session (warn)']);
  await pass(1);
  expect(await interrupted).toBe(true);
  expect((await again).clientId).not.toBe(clientId);
  expect(log()).toEqual(['session_pool_interrupt_completed (debug)', COMPLETE]);
  expect(fixture.driver.processes).toHaveLength(1);
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: long.');
});

test('S6: an interrupt that is not over in time ends the process, and the conversation goes on in a new one', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS_DEAF }) } });
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('long'));
  await settle();
  void handle.interrupt();
  await pass(1_000);
  const log = logOf(fixture);
  log();
  const again = fixture.pool.getSessionClient('a');
  await pass(3_999);
  expect(fixture.driver.alive).toHaveLength(1);
  await pass(1);
  expect((await again).clientId).not.toBe(clientId);
  expect(log()).toEqual([
    CALLED,
    FOUND,
    'session_pool_interrupting_session (warn)',
    'session_pool_interrupt_timeout (warn)',
    COMPLETE,
  ]);
  expect(fixture.driver.processes).toHaveLength(2);
  expect(fixture.driver.alive).toHaveLength(1);
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: long.');
});

test('S6: the wait is bounded by the setting also when the turn allows its interrupt more time', async () => {
  const fixture = makePool({
    limits: { interruptMs: 2_000 },
    driver: { script: scriptOf({ long: HANGS_DEAF }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'), { limits: { interruptMs: 60_000 } });
  await settle();
  void handle.interrupt();
  const again = fixture.pool.getSessionClient('a');
  await pass(2_000);
  expect((await again).status).toBe('idle');
  expect(fixture.line('session_pool_interrupt_timeout')).toMatchObject({ level: 'warn' });
});

test('S6: a caller that gives up stops waiting at once, and the interrupt goes on', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS_DEAF }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await settle();
  const interrupted = handle.interrupt();
  const abort = new AbortController();
  const again = fixture.pool.getSessionClient('a', { signal: abort.signal });
  await settle();
  abort.abort(new Error('left'));
  await expect(again).rejects.toThrow('left');
  await pass(5_000);
  expect(await interrupted).toBe(true);
});

test('S7: a session with an active stream is looked at, and given out busy when the stream is in good order', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(30_000) }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await pass(10_000);
  const log = logOf(fixture);
  log();
  const again = await fixture.pool.getSessionClient('a');
  expect(again).toBe(client);
  expect(again.status).toBe('active');
  expect(log()).toEqual([CALLED, FOUND, STREAM, COMPLETE]);
  expect(fixture.line('session_pool_active_stream_detected')).toMatchObject({
    sessionId: 'a',
    clientId: client.clientId,
    hasStream: true,
    hasHandle: true,
    idleSeconds: 10,
  });
  await pass(20_000);
  expect((await handle.ended).reason).toBe('completed');
});

test('S8: a process that does not take the prompt in time is ended, by the timer of the stream itself', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ stuck: NEVER_TAKEN }) } });
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('stuck'));
  await pass(14_999);
  expect(handle.phase).toBe('awaiting-first-message');
  await pass(1);
  expect(await handle.ended).toMatchObject({
    reason: 'failed',
    error: { code: 'first_message_timeout' },
  });
  expect(fixture.line('session_pool_first_chunk_timeout')).toMatchObject({ level: 'warn' });
  expect(fixture.driver.alive).toHaveLength(0);
  expect((await fixture.pool.getSessionClient('a')).clientId).not.toBe(clientId);
});

test('S8: a first-message limit that passed unnoticed is acted on by the lookup, which gives a new client', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ stuck: NEVER_TAKEN }) } });
  await ask(fixture, 'a', 'one');
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('stuck'));
  await settle();
  const log = logOf(fixture);
  log();
  oversleep(20_000);
  const again = await fixture.pool.getSessionClient('a');
  expect(await handle.ended).toMatchObject({ error: { code: 'first_message_timeout' } });
  expect(again.clientId).not.toBe(clientId);
  expect(fixture.driver.alive).toHaveLength(1);
  expect(log()).toEqual([
    CALLED,
    FOUND,
    STREAM,
    'session_pool_first_chunk_timeout (warn)',
    CLEARED,
    COMPLETE,
  ]);
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
});

test('S9: silence beyond the limit interrupts the stream and keeps the session and its process', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('long'));
  const log = logOf(fixture);
  await pass(59_999);
  expect(handle.phase).toBe('streaming');
  log();
  await pass(1);
  expect(await handle.ended).toMatchObject({
    reason: 'failed',
    error: { code: 'stream_silence_timeout' },
  });
  expect(log()).toEqual([
    'session_pool_interrupting_ongoing_timeout (warn)',
    'session_pool_interrupted_ongoing_timeout (debug)',
  ]);
  const again = await fixture.pool.getSessionClient('a');
  expect(again.clientId).toBe(clientId);
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: long.');
});

test('S9: a silence that passed unnoticed is acted on by the lookup, which keeps the client', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('long'));
  await settle();
  const log = logOf(fixture);
  log();
  oversleep(61_000);
  const again = await fixture.pool.getSessionClient('a');
  expect(await handle.ended).toMatchObject({ error: { code: 'stream_silence_timeout' } });
  expect(again.clientId).toBe(clientId);
  expect(again.status).toBe('idle');
  await settle();
  expect(log().toSorted()).toEqual(
    [
      CALLED,
      FOUND,
      STREAM,
      'session_pool_interrupting_ongoing_timeout (warn)',
      'session_pool_interrupted_ongoing_timeout (debug)',
      CLEARED,
      REUSED,
      COMPLETE,
    ].toSorted(),
  );
  expect(fixture.line('session_pool_stream_cleared')).toMatchObject({
    wasInterrupted: true,
    wasRecent: false,
    wasFirstChunkTimeout: false,
    wasOngoingTimeout: true,
  });
});

test('S9: a stream that completes by itself after all did not need the interrupt', async () => {
  const slow = { steps: [{ text: ['a'] }, { waitMs: 61_000 }], interruptible: false };
  const fixture = makePool({ driver: { script: scriptOf({ slow }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('slow'));
  await settle();
  const log = logOf(fixture);
  log();
  await pass(61_000);
  expect((await handle.ended).reason).toBe('completed');
  expect(log()).toEqual([
    'session_pool_interrupting_ongoing_timeout (warn)',
    'session_pool_interrupt_ongoing_not_needed (debug)',
  ]);
});

test('S9: an interrupt that fails is told with its error, and the stream is cleared all the same', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await settle();
  vi.spyOn(processOf(fixture), 'interrupt').mockRejectedValue(new TypeError('the pipe is closed'));
  const log = logOf(fixture);
  log();
  await pass(60_000);
  expect(await handle.ended).toMatchObject({ error: { code: 'stream_silence_timeout' } });
  expect(log()).toEqual([
    'session_pool_interrupting_ongoing_timeout (warn)',
    'session_pool_interrupt_ongoing_failed (warn)',
  ]);
  expect(fixture.line('session_pool_interrupt_ongoing_failed')).toMatchObject({
    error: 'the pipe is closed',
    errorType: 'TypeError',
  });
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: long.');
});

test('S9: an interrupt that nobody hears has failed when its deadline passes, and the session is resumable', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS_DEAF }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await pass(65_000);
  expect(await handle.ended).toMatchObject({ error: { code: 'stream_silence_timeout' } });
  expect(fixture.line('session_pool_interrupt_ongoing_failed')).toMatchObject({
    errorType: 'Timeout',
  });
  expect(fixture.line('session_pool_interrupted_ongoing_timeout')).toBeUndefined();
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: long.');
});

test('S10: a stream that has just finished is cleared and the session reused at once', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('one'));
  await handle.ended;
  const log = logOf(fixture);
  log();
  expect((await fixture.pool.getSessionClient('a')).clientId).toBe(clientId);
  expect(log()).toEqual([
    CALLED,
    FOUND,
    STREAM,
    'session_pool_clearing_recent_stream (debug)',
    CLEARED,
    REUSED,
    COMPLETE,
  ]);
  expect(fixture.line('session_pool_clearing_recent_stream')).toMatchObject({
    sessionId: 'a',
    clientId,
    oldHandleId: handle.handleId,
  });
  // What was cleared is the session's hold on it: its reader still gets everything.
  expect((await collect(handle)).at(-1)?.record?.detail.turnEnd?.reason).toBe('completed');
});

test('S11: a stream whose handle its reader has let go is only cleared: no timeout is computed on nothing', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  const log = logOf(fixture);
  log();
  oversleep(500_000);
  await fixture.pool.getSessionClient('a');
  expect(log()).toEqual([CALLED, FOUND, STREAM, CLEARED, REUSED, COMPLETE]);
  await fixture.pool.getSessionClient('a');
  expect(log()).toEqual([CALLED, FOUND, REUSED, COMPLETE]);
});

test('S12: a completed stream is never subject to a timeout, however long ago it ended', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('one'));
  await handle.ended;
  await pass(500_000);
  expect((await fixture.pool.getSessionClient('a')).clientId).toBe(clientId);
  expect(fixture.counted.filter(({ name }) => name.includes('timeouts'))).toEqual([]);
});

test('S13: past its time to live a session gets a new client between two turns, and keeps its conversation', async () => {
  const fixture = makePool({
    // The lookup is what is looked at here, not the housekeeping.
    pool: { sessionTtlMs: 120_000, cleanupIntervalMs: 3_600_000 },
  });
  await ask(fixture, 'a', 'one');
  const { clientId } = await fixture.pool.getSessionClient('a');
  await pass(119_999);
  expect((await fixture.pool.getSessionClient('a')).clientId).toBe(clientId);
  await pass(1);
  const log = logOf(fixture);
  log();
  expect((await fixture.pool.getSessionClient('a')).clientId).not.toBe(clientId);
  expect(log()).toEqual([CALLED, FOUND, 'session_expired (debug)', COMPLETE]);
  expect(fixture.driver.alive).toHaveLength(1);
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
});

test('S13: a running turn is not expired: the session is given out busy on its old client', async () => {
  const fixture = makePool({
    pool: { sessionTtlMs: 120_000 },
    driver: { script: scriptOf({ long: { steps: longTool(600_000) } }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  const handle = await client.prompt(text('long'));
  await pass(300_000);
  expect((await fixture.pool.getSessionClient('a')).clientId).toBe(clientId);
  await pass(300_000);
  expect((await handle.ended).reason).toBe('completed');
});

test('S14: a session whose process died is connected again and marked as reused', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  const client = await fixture.pool.getSessionClient('a');
  processOf(fixture).die();
  await settle();
  expect(client.status).toBe('error');
  const log = logOf(fixture);
  log();
  const again = await fixture.pool.getSessionClient('a');
  expect(log()).toEqual([CALLED, FOUND, 'session_unhealthy_recovering (debug)', COMPLETE]);
  expect(again.metrics.reused).toBe(true);
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
});

test('S14: with recovery switched off an unhealthy session is refused with 503, and nothing is started', async () => {
  const fixture = makePool({ pool: { connectionRecovery: false } });
  await ask(fixture, 'a', 'one');
  await fixture.pool.getSessionClient('a');
  processOf(fixture).die();
  await settle();
  const log = logOf(fixture);
  log();
  const refusal = await fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'session_connection_failed', kind: { status: 503 } });
  expect(String(refusal)).toContain('Failed to establish session connection: a');
  expect(log()).toEqual([CALLED, FOUND, 'session_pool_connection_failed (error)']);
  expect(fixture.driver.processes).toHaveLength(1);
});

test('S15: a healthy session is reused and marked as reused', async () => {
  const fixture = makePool();
  const first = await fixture.pool.getSessionClient('a');
  expect(first.metrics.reused).toBe(false);
  const log = logOf(fixture);
  log();
  const again = await fixture.pool.getSessionClient('a');
  expect(again).toBe(first);
  expect(again.metrics.reused).toBe(true);
  expect(log()).toEqual([CALLED, FOUND, REUSED, COMPLETE]);
});

test('S16: an unknown id is created where there is room', async () => {
  const fixture = makePool();
  const log = logOf(fixture);
  const client = await fixture.pool.getSessionClient('a');
  expect(log()).toEqual([CALLED, CREATED, COMPLETE]);
  expect(client).toMatchObject({ name: 'a', status: 'idle' });
  expect(await fixture.store.findSession('default', 'a')).toMatchObject({ id: client.id });
});

test('S17: a session that can not be connected is refused with 503 and what the process said last', async () => {
  const fixture = makePool({
    driver: {
      onStart: () => {
        throw new RoundhouseError('session_connection_failed', 'exit code 1: no space left');
      },
    },
  });
  const log = logOf(fixture);
  const refused = fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  await pass(5_000);
  const refusal = await refused;
  expect(refusal).toMatchObject({ code: 'session_connection_failed', kind: { status: 503 } });
  expect(String(refusal)).toContain('Failed to establish session connection: a');
  expect(String(refusal)).toContain('exit code 1: no space left');
  expect(log()).toEqual([CALLED, CREATED, 'session_pool_connection_failed (error)']);
  expect(fixture.line('session_pool_connection_failed')).toMatchObject({
    sessionId: 'a',
    error: 'exit code 1: no space left',
  });
});

test('S17: an agent that is not there is told as such, with the same log line', async () => {
  const missing = new RoundhouseError('agent_unavailable', 'no executable');
  const onStart = (): void => {
    throw missing;
  };
  const fixture = makePool({ driver: { onStart } });
  const log = logOf(fixture);
  await expect(fixture.pool.getSessionClient('a')).rejects.toBe(missing);
  expect(log()).toEqual([CALLED, CREATED, 'session_pool_connection_failed (error)']);
});

test('S17: a start that takes longer than its limit is refused in the same way, and ended', async () => {
  const fixture = makePool({ limits: { startMs: 5_000 }, driver: { startMs: 600_000 } });
  const refused = fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  await pass(5_000);
  expect(await refused).toMatchObject({ code: 'session_connection_failed' });
  expect(String(await refused)).toContain('not ready within 5000 ms');
  expect(fixture.pool.stats().processSlots.used).toBe(0);
});

test('S18: every success ends with a log line that tells the state of the session', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  await pass(2_000);
  const before = fixture.lines.length;
  const client = await fixture.pool.getSessionClient('a');
  const line = fixture.lines
    .slice(before)
    .find(({ event }) => event === 'session_pool_get_client_complete');
  expect(line).toEqual({
    level: 'debug',
    event: 'session_pool_get_client_complete',
    sessionId: 'a',
    clientId: client.clientId,
    sessionStatus: 'idle',
    sessionAgeSeconds: 2,
    sessionMessageCount: 1,
  });
});

test('the settings of the seed have its defaults and its bounds', () => {
  expect(poolOptionsSchema.parse({})).toMatchObject({ enabled: true, connectionRecovery: true });
  const bounds: [number, number, (value: number) => PoolOptionsInput][] = [
    [1, 10_000, (maxSessions) => ({ maxSessions })],
    [
      10_000,
      600_000,
      (silenceMs) => ({ sessionTtlMs: 86_400_000, limits: { firstMessageMs: 500, silenceMs } }),
    ],
    [
      60_000,
      86_400_000,
      (sessionTtlMs) => ({ sessionTtlMs, limits: { firstMessageMs: 500, silenceMs: 10_000 } }),
    ],
  ];
  for (const [smallest, largest, options] of bounds) {
    for (const value of [smallest, largest])
      expect(poolOptionsSchema.safeParse(options(value)).success).toBe(true);
    for (const value of [smallest - 1, largest + 1])
      expect(poolOptionsSchema.safeParse(options(value)).success).toBe(false);
  }
});

test('the limits of the seed stand in order: first message, then silence, then time to live', () => {
  expect(mistakes({ limits: { firstMessageMs: 60_000, silenceMs: 60_000 } })).toEqual([
    'expected less than limits.silenceMs (60000), got 60000',
  ]);
  expect(mistakes({ sessionTtlMs: 60_000, limits: { silenceMs: 60_000 } })).toEqual([
    'expected less than sessionTtlMs (60000), got 60000',
  ]);
  expect(mistakes({ sessionTtlMs: 60_001, limits: { silenceMs: 60_000 } })).toEqual([]);
});

function mistakes(options: PoolOptionsInput): string[] {
  return poolOptionsSchema.safeParse(options).error?.issues.map(({ message }) => message) ?? [];
}

/** The one process that is alive. */
function processOf(fixture: PoolFixture) {
  const [process] = fixture.driver.alive;
  if (process === undefined) throw new Error('no process is alive');
  return process;
}

/** The agent answers an interrupt only after so long. */
function slowInterrupts(fixture: PoolFixture, ms: number): void {
  const process = processOf(fixture);
  const interrupt = process.interrupt.bind(process);
  vi.spyOn(process, 'interrupt').mockImplementation(() => sleep(ms).then(interrupt));
}

function longTool(runMs: number) {
  return [{ tool: 'Bash', output: 'ok', runMs }, { text: ['done'] }];
}
