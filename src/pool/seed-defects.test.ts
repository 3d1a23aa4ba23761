import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { turnEndOf } from '../events/record.ts';
import { sleep } from '../time/timers.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import {
  answerOf,
  ask,
  collect,
  makePool,
  text,
  type PoolFixture,
} from '../../test/support/pool-fixture.ts';
import { HANGS, HANGS_DEAF, NEVER_TAKEN, scriptOf, worksFor } from '../../test/support/scripts.ts';
import { echoScript, type Script, type ScriptContext } from '../agent/scripted/script.ts';

useFakeClock();

test('D1: a second request on a busy session delays no other session', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(60_000) }) } });
  const busy = await fixture.pool.getSessionClient('busy');
  await busy.prompt(text('long'));
  const second = await (await fixture.pool.getSessionClient('busy')).prompt(text('second'));
  expect(await ask(fixture, 'other', 'hello')).toBe('You said: hello. Before: nothing.');
  expect(second.phase).toBe('queued');
  await pass(60_000);
  expect((await second.ended).reason).toBe('completed');
});

test('D1: starts that hang delay the start of another session by a few seconds at most', async () => {
  const fixture = makePool({
    pool: { maxStarts: 2 },
    driver: { onStart: ({ workspace }) => (isStuck(workspace) ? sleep(3_600_000) : undefined) },
  });
  const stuckIds = new Set<string>();
  const isStuck = (workspace = ''): boolean => stuckIds.has(workspace);
  for (const path of ['stuck-1', 'stuck-2']) {
    vi.spyOn(fixture.host, 'createWorkspace').mockImplementationOnce(() => {
      stuckIds.add(path);
      return Promise.resolve(path);
    });
    void fixture.pool.getSessionClient(path).catch(() => undefined);
    await settle();
  }
  const other = fixture.pool.getSessionClient('other');
  await pass(5_000);
  expect((await other).status).toBe('idle');
});

test('D1: an interrupt, an expiry and a slow close of one session delay no other', async () => {
  const fixture = makePool({
    pool: { sessionTtlMs: 60_000, cleanupIntervalMs: 3_600_000 },
    driver: { script: scriptOf({ long: HANGS_DEAF }) },
  });
  const closing = await fixture.pool.getSessionClient('closing');
  slowClose(fixture, 20_000);
  const interrupting = await fixture.pool.getSessionClient('interrupting');
  await pass(60_000);
  const handle = await interrupting.prompt(text('long'));
  await settle();
  void handle.interrupt();
  const expired = fixture.pool.getSessionClient('closing');
  const interrupted = fixture.pool.getSessionClient('interrupting');
  await settle();
  expect([closing.status, interrupting.status]).toEqual(['closing', 'interrupting']);
  expect(await ask(fixture, 'other', 'hello')).toBe('You said: hello. Before: nothing.');
  await pass(20_000);
  await Promise.all([expired, interrupted]);
});

test('D2: a long turn is neither cleaned up nor evicted, and idle counts from its end', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1, idleThresholdMs: 60_000, waitMs: 1_000 },
    driver: {
      script: scriptOf({ long: { steps: [{ tool: 'Bash', output: '', runMs: 600_000 }] } }),
    },
  });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await pass(590_000);
  expect(client.metrics.idleSeconds).toBe(0);
  const refused = fixture.pool.getSessionClient('b').catch((error: unknown) => error);
  await pass(1_000);
  expect(await refused).toMatchObject({ code: 'pool_at_capacity' });
  await pass(9_000);
  expect((await handle.ended).reason).toBe('completed');
  await pass(30_000);
  expect(client.metrics.idleSeconds).toBe(30);
  expect(client.status).toBe('idle');
  await pass(30_000);
  expect(client.status).toBe('disconnected');
});

test('D3: after a first-message timeout the next prompts get their own answers, not the one before', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ stuck: NEVER_TAKEN }) } });
  const client = await fixture.pool.getSessionClient('a');
  const stuck = await client.prompt(text('stuck'));
  const behind = await client.prompt(text('behind'));
  await pass(15_000);
  expect(answerOf(await collect(stuck))).toBe('');
  expect(answerOf(await collect(behind))).toBe('You said: behind. Before: nothing.');
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: behind.');
});

test('D3: what an interrupted turn puts out late reaches only its own readers', async () => {
  const late = {
    steps: [{ text: ['early'] }, { waitMs: 61_000 }, { text: ['late'] }],
    interruptible: false,
  };
  const fixture = makePool({ driver: { script: scriptOf({ late }) } });
  const client = await fixture.pool.getSessionClient('a');
  const first = await client.prompt(text('late'));
  const second = await client.prompt(text('second'));
  await pass(61_000);
  expect(answerOf(await collect(first))).toBe('earlylate');
  expect(answerOf(await collect(second))).toBe('You said: second. Before: late.');
  const turnIds = (await collect(second)).map((item) =>
    item.preview === undefined ? item.record?.turnId : item.turnId,
  );
  expect(new Set(turnIds)).toEqual(new Set([second.turnId]));
});

test('D4: sessions resume by their own ids only and never adopt the transcript of another', async () => {
  const fixture = makePool({ pool: { maxProcesses: 1 } });
  for (const round of ['1', '2', '3']) {
    for (const name of ['a', 'b', 'c']) await ask(fixture, name, `${name}${round}`);
  }
  expect(await ask(fixture, 'b', 'b4')).toBe('You said: b4. Before: b1 | b2 | b3.');
  expect(fixture.driver.processes.length).toBeGreaterThanOrEqual(9);
  const owners = new Map<string, Set<string>>();
  for (const { spec } of fixture.driver.processes) {
    const ids = owners.get(spec.sessionId) ?? new Set();
    owners.set(spec.sessionId, ids.add(spec.agentSessionId));
  }
  expect([...owners.values()].map(({ size }) => size)).toEqual([1, 1, 1]);
});

test('D5: a prompt whose process died after it was delivered is not run again by itself', async () => {
  const seen: string[] = [];
  const fixture = makePool({
    driver: { script: recording(seen, scriptOf({ dies: { steps: [{ die: 'SIGKILL' }] } })) },
  });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('dies'));
  expect(await handle.ended).toMatchObject({ reason: 'failed', error: { code: 'agent_died' } });
  await pass(600_000);
  expect(seen).toEqual(['dies']);
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: dies.');
  expect(seen).toEqual(['dies', 'next']);
});

test('D6: a session outlives expiry and idleness with its conversation', async () => {
  for (const [pool, reason] of [
    [{ sessionTtlMs: 61_000 }, 'expired'],
    [{ idleThresholdMs: 61_000 }, 'idle'],
  ] as const) {
    const fixture = makePool({ pool });
    await ask(fixture, 'a', 'one');
    await pass(100_000);
    expect(fixture.driver.alive).toEqual([]);
    expect(fixture.line('session_process_taken')).toMatchObject({ reason });
    // By then it has left memory too.
    await pass(600_000);
    expect(fixture.pool.stats().residentSessions).toBe(0);
    expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
  }
});

test('D6: a session outlives an interrupt, an error and the death of its process with its conversation', async () => {
  const fixture = makePool({
    driver: {
      script: scriptOf({
        hangs: HANGS,
        fails: { steps: [{ fail: 'upstream_overloaded', message: 'later' }] },
        dies: { steps: [{ die: 'SIGKILL' }] },
      }),
    },
  });
  const hanging = await (await fixture.pool.getSessionClient('a')).prompt(text('hangs'));
  await settle();
  await hanging.interrupt();
  await ask(fixture, 'a', 'fails');
  await ask(fixture, 'a', 'dies');
  expect(await ask(fixture, 'a', 'last')).toBe('You said: last. Before: hangs | fails | dies.');
});

test('D7: another model takes effect with the next turn, on the same process', async () => {
  const seen: ScriptContext[] = [];
  const fixture = makePool({ driver: { script: contexts(seen) } });
  const client = await fixture.pool.getSessionClient('a', { agent: { model: 'first' } });
  await (
    await client.prompt(text('one'))
  ).ended;
  await fixture.pool.getSessionClient('a', { agent: { model: 'second' } });
  await (
    await client.prompt(text('two'))
  ).ended;
  await (
    await client.prompt(text('three'), { model: 'third' })
  ).ended;
  await (
    await client.prompt(text('four'))
  ).ended;
  expect(seen.map(({ model }) => model)).toEqual(['first', 'second', 'third', 'second']);
  expect(fixture.driver.processes).toHaveLength(1);
  expect(await fixture.store.findSession('default', 'a')).toMatchObject({
    options: { model: 'second' },
  });
});

test('D7: an option that is fixed at the start takes effect by a restart with resume; an equal or omitted one does nothing', async () => {
  const fixture = makePool();
  const systemPrompt = { mode: 'replace', text: 'Be brief.' } as const;
  await ask(fixture, 'a', 'one');
  await fixture.pool.getSessionClient('a', { agent: { systemPrompt } });
  expect(fixture.driver.processes.map(({ spec }) => spec.options)).toEqual([{}, { systemPrompt }]);
  expect(fixture.driver.alive).toHaveLength(1);
  await fixture.pool.getSessionClient('a', { agent: { systemPrompt: { ...systemPrompt } } });
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
  expect(fixture.driver.processes).toHaveLength(2);
});

test('D7: options given while a turn runs hold for the prompts after it', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(10_000) }) } });
  const client = await fixture.pool.getSessionClient('a');
  await client.prompt(text('long'));
  await fixture.pool.getSessionClient('a', { agent: { tools: [] } });
  const next = await client.prompt(text('next'));
  await pass(10_000);
  expect(answerOf(await collect(next))).toBe('You said: next. Before: long.');
  expect(fixture.driver.processes.map(({ spec }) => spec.options)).toEqual([{}, { tools: [] }]);
});

test('D8: the timers of a stream fire without another request', async () => {
  const fixture = makePool({
    driver: { script: scriptOf({ silent: HANGS, mute: { steps: [{ hang: true }] } }) },
  });
  const silent = await (await fixture.pool.getSessionClient('a')).prompt(text('silent'));
  const mute = await (await fixture.pool.getSessionClient('b')).prompt(text('mute'));
  await pass(120_000);
  expect((await silent.ended).error?.code).toBe('stream_silence_timeout');
  expect((await mute.ended).error?.code).toBe('first_token_timeout');
});

test('D9: slow starts are not taken for broken processes: three at once cost three starts and no kill', async () => {
  const fixture = makePool({ driver: { startMs: 20_000 } });
  const answers = ['a', 'b', 'c'].map((name) => ask(fixture, name, 'hello'));
  await pass(60_000);
  for (const answer of await Promise.all(answers))
    expect(answer).toBe('You said: hello. Before: nothing.');
  expect(fixture.driver.processes).toHaveLength(3);
  expect(fixture.driver.alive).toHaveLength(3);
  expect(fixture.counted.filter(({ name }) => name.includes('timeouts'))).toEqual([]);
});

test('D10: age alone kills nothing that is in use, and a hung turn is what its timers catch', async () => {
  const fixture = makePool({
    pool: { sessionTtlMs: 86_400_000, idleThresholdMs: 60_000 },
    driver: { script: scriptOf({ hangs: HANGS }) },
  });
  for (let minutes = 0; minutes < 120; minutes += 1) {
    await ask(fixture, 'a', 'ping');
    await pass(50_000);
    await ask(fixture, 'a', 'ping');
    await pass(10_000);
  }
  expect(fixture.driver.processes).toHaveLength(1);
  const client = await fixture.pool.getSessionClient('a');
  expect(client.metrics.ageSeconds).toBeGreaterThanOrEqual(7_200);
  const handle = await client.prompt(text('hangs'));
  await pass(60_000);
  expect((await handle.ended).error?.code).toBe('stream_silence_timeout');
});

test('D11: what the agent says until it has answered an interrupt is read, and the interrupt completes', async () => {
  const fixture = makePool({
    driver: {
      script: scriptOf({
        slow: { steps: [{ text: ['a'] }, { waitMs: 1_000 }, { text: ['b'] }, { hang: true }] },
      }),
    },
  });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('slow'));
  await settle();
  const [process] = fixture.driver.alive;
  const interrupt = process?.interrupt.bind(process);
  if (process === undefined || interrupt === undefined) throw new Error('no process');
  vi.spyOn(process, 'interrupt').mockImplementation(() => sleep(3_000).then(interrupt));
  const interrupted = handle.interrupt();
  await pass(3_000);
  expect(await interrupted).toBe(true);
  expect(await handle.ended).toMatchObject({
    reason: 'interrupted',
    error: { code: 'turn_interrupted' },
  });
  expect(answerOf(await collect(handle))).toBe('ab');
  expect(fixture.driver.alive).toEqual([process]);
});

test('D11: an interrupt that is not answered by its deadline ends the process', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ deaf: HANGS_DEAF }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('deaf'));
  await settle();
  const interrupted = handle.interrupt();
  await pass(4_999);
  expect(fixture.driver.alive).toHaveLength(1);
  await pass(1);
  expect(await interrupted).toBe(true);
  expect((await handle.ended).reason).toBe('interrupted');
  expect(fixture.driver.alive).toHaveLength(0);
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: deaf.');
});

test('D12: a new process starts only when the old one is gone, and every folder goes with its process', async () => {
  const fixture = makePool({ pool: { sessionTtlMs: 60_000, cleanupIntervalMs: 3_600_000 } });
  await ask(fixture, 'a', 'one');
  slowClose(fixture, 3_000);
  await pass(60_000);
  const again = fixture.pool.getSessionClient('a');
  await pass(2_999);
  expect(fixture.driver.processes).toHaveLength(1);
  await pass(1);
  await again;
  expect(fixture.driver.processes).toHaveLength(2);
  expect(fixture.host.folders.size).toBe(1);
  await fixture.pool.deleteSession('default', 'a');
  expect(fixture.driver.alive).toEqual([]);
  expect(fixture.host.folders.size).toBe(0);
  expect(fixture.pool.stats().processSlots.used).toBe(0);
});

test('D13: ten callers at once cause one start', async () => {
  const fixture = makePool({ driver: { startMs: 500 } });
  const callers = Array.from({ length: 10 }, () => fixture.pool.getSessionClient('a'));
  await pass(500);
  expect(new Set(await Promise.all(callers)).size).toBe(1);
  expect(fixture.driver.processes).toHaveLength(1);
});

test('D13: a failed start leaves no process, no slot and no folder, and its attempts are bounded', async () => {
  const starts: number[] = [];
  const fixture = makePool({
    pool: { startAttempts: 3 },
    driver: {
      onStart: () => {
        starts.push(performance.now());
        throw new RoundhouseError('session_connection_failed', 'no');
      },
    },
  });
  const callers = Array.from({ length: 10 }, () =>
    fixture.pool.getSessionClient('a').catch((error: unknown) => error),
  );
  await pass(60_000);
  for (const refusal of await Promise.all(callers))
    expect(refusal).toMatchObject({ code: 'session_connection_failed' });
  expect(starts).toHaveLength(3);
  const [first = 0, second = 0, third = 0] = starts;
  expect(second - first).toBeGreaterThanOrEqual(200);
  expect(third - second).toBeGreaterThanOrEqual(400);
  expect(fixture.pool.stats().processSlots).toMatchObject({ used: 0, waiting: 0 });
  expect(fixture.host.folders.size).toBe(0);
});

test('D13: after a failed start callers are refused for the back-off without another start, and told when to come back', async () => {
  let starts = 0;
  let broken = true;
  const fixture = makePool({
    pool: { startAttempts: 1 },
    driver: {
      onStart: () => {
        starts += 1;
        if (broken) throw new RoundhouseError('session_connection_failed', 'no');
      },
    },
  });
  await expect(fixture.pool.getSessionClient('a')).rejects.toThrow('no');
  const refusal = await fixture.pool.getSessionClient('a').catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'session_connection_failed', retryAfterSeconds: 1 });
  expect(starts).toBe(1);
  await pass(500);
  await expect(fixture.pool.getSessionClient('a')).rejects.toThrow('no');
  await pass(999);
  await expect(fixture.pool.getSessionClient('a')).rejects.toThrow('no');
  expect(starts).toBe(2);
  broken = false;
  await pass(1);
  expect((await fixture.pool.getSessionClient('a')).status).toBe('idle');
  expect(starts).toBe(3);
});

test('D14: at capacity the least recently used idle process is taken, and its conversation kept', async () => {
  const fixture = makePool({ pool: { maxProcesses: 2 } });
  await ask(fixture, 'a', 'a1');
  await pass(1_000);
  await ask(fixture, 'b', 'b1');
  await pass(1_000);
  await ask(fixture, 'a', 'a2');
  await pass(1_000);
  await ask(fixture, 'c', 'c1');
  expect(await aliveNames(fixture)).toEqual(['a', 'c']);
  expect(await ask(fixture, 'b', 'b2')).toBe('You said: b2. Before: b1.');
  expect(await aliveNames(fixture)).toEqual(['b', 'c']);
});

test('D14: when nothing is idle, callers wait and are served in their order', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1 },
    driver: { script: scriptOf({ long: worksFor(10_000) }) },
  });
  await (await fixture.pool.getSessionClient('busy')).prompt(text('long'));
  const served: string[] = [];
  const waiting = ['x', 'y', 'z'].map((name) =>
    ask(fixture, name, 'hi').then(() => served.push(name)),
  );
  await pass(9_999);
  expect(served).toEqual([]);
  expect(fixture.pool.stats().processSlots).toEqual({ used: 1, capacity: 1, waiting: 3 });
  await pass(5_000);
  await Promise.all(waiting);
  expect(served).toEqual(['x', 'y', 'z']);
});

test('D14: past the bound of the queue callers are refused at once, with the time to come back', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1, maxWaiters: 2 },
    driver: { script: scriptOf({ long: worksFor(10_000) }) },
  });
  await (await fixture.pool.getSessionClient('busy')).prompt(text('long'));
  const waiting = ['x', 'y'].map((name) => ask(fixture, name, 'hi'));
  await settle();
  const refusal = await fixture.pool.getSessionClient('z').catch((error: unknown) => error);
  expect(refusal).toMatchObject({
    code: 'queue_full',
    kind: { status: 503 },
    retryAfterSeconds: 1,
  });
  await pass(15_000);
  await Promise.all(waiting);
});

test('D14: a full memory makes room by forgetting the least recently used session, not the one just given out', async () => {
  const fixture = makePool({ pool: { maxSessions: 1 } });
  const first = ask(fixture, 'a', 'a1');
  const second = ask(fixture, 'b', 'b1');
  await pass(5_000);
  expect(await Promise.all([first, second])).toEqual([
    'You said: a1. Before: nothing.',
    'You said: b1. Before: nothing.',
  ]);
  expect(await ask(fixture, 'a', 'a2')).toBe('You said: a2. Before: a1.');
  expect(fixture.pool.stats().residentSessions).toBe(1);
});

test('D15: a reader that comes late gets everything from the number it names, and the rest live', async () => {
  const fixture = makePool({
    driver: {
      script: scriptOf({ slow: { steps: [{ text: ['a'] }, { waitMs: 5_000 }, { text: ['b'] }] } }),
    },
  });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('slow'));
  const early = collect(handle);
  await pass(2_000);
  const late = collect(handle);
  const [one] = await fixture.pool.readEvents('default', 'a', { after: 1, limit: 1 });
  await pass(3_000);
  const records = (await early).flatMap(({ record }) => record ?? []);
  expect((await late).flatMap(({ record }) => record ?? [])).toEqual(records);
  const afterTheEnd = (await collect(handle)).flatMap(({ record }) => record ?? []);
  expect(afterTheEnd).toEqual(records);
  expect(one).toEqual(records[1]);
  const leaving = new AbortController();
  const rest = await fixture.pool.followEvents('default', 'a', {
    after: 3,
    signal: leaving.signal,
  });
  const numbers: number[] = [];
  for await (const { record } of rest) {
    numbers.push(record?.number ?? 0);
    if (record?.number === records.at(-1)?.number) leaving.abort();
  }
  expect(numbers).toEqual(records.slice(3).map(({ number }) => number));
});

test('D16: a reader that does not drain is cut with a typed reason, can come back, and holds nobody up', async () => {
  const deltas = Array.from({ length: 12_000 }, () => '.');
  const fixture = makePool({
    driver: { script: scriptOf({ flood: { steps: [{ text: deltas }] } }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('flood'));
  const reader = handle[Symbol.asyncIterator]();
  const first = await reader.next();
  const live = collect(handle);
  for (let items = 1; items < 5; items += 1) await reader.next();
  expect((await handle.ended).reason).toBe('completed');
  const refusal = await readOn(reader).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'reader_too_slow' });
  expect((await live).length).toBeGreaterThan(12_000);
  expect(first.done).toBe(false);
  expect(answerOf(await collect(handle))).toBe(deltas.join(''));
});

test('D17: a caller that leaves cancels its wait only: the start that others wait for goes on', async () => {
  const fixture = makePool({ driver: { startMs: 1_000 } });
  const abort = new AbortController();
  const leaving = fixture.pool.getSessionClient('a', { signal: abort.signal });
  const staying = fixture.pool.getSessionClient('a');
  await pass(500);
  abort.abort(new Error('left'));
  await expect(leaving).rejects.toThrow('left');
  await pass(500);
  expect((await staying).status).toBe('idle');
  expect(fixture.driver.processes).toHaveLength(1);
});

test('D17: who asks while an abandoned start is being given up gets a start of its own', async () => {
  const fixture = makePool({ driver: { startMs: 1_000 } });
  const abort = new AbortController();
  const leaving = fixture.pool.getSessionClient('a', { signal: abort.signal });
  await pass(500);
  abort.abort(new Error('left'));
  const coming = fixture.pool.getSessionClient('a');
  await expect(leaving).rejects.toThrow('left');
  await pass(1_000);
  expect((await coming).status).toBe('idle');
});

test('D17: when the last caller leaves, its place in the queue for a slot is given up', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1 },
    driver: { script: scriptOf({ long: worksFor(10_000) }) },
  });
  await (await fixture.pool.getSessionClient('busy')).prompt(text('long'));
  const abort = new AbortController();
  const leaving = fixture.pool.getSessionClient('a', { signal: abort.signal });
  await settle();
  expect(fixture.pool.stats().processSlots.waiting).toBe(1);
  abort.abort(new Error('left'));
  await expect(leaving).rejects.toThrow('left');
  await settle();
  expect(fixture.pool.stats().processSlots.waiting).toBe(0);
});

test('D18: an error before the turn is a rejection with its HTTP status, a later one is one terminal record', async () => {
  const fixture = makePool({
    driver: {
      script: scriptOf({
        fails: { steps: [{ text: ['so far'] }, { fail: 'upstream_overloaded', message: 'later' }] },
      }),
    },
  });
  const client = await fixture.pool.getSessionClient('a');
  await expect(client.prompt([])).rejects.toMatchObject({
    code: 'invalid_request',
    kind: { status: 400 },
  });
  const items = await collect(await client.prompt(text('fails')));
  const ends = items.flatMap(({ record }) => (record && turnEndOf(record)) ?? []);
  expect(ends).toMatchObject([{ reason: 'failed', error: { code: 'upstream_overloaded' } }]);
  expect(items.at(-1)?.record?.detail.turnEnd).toEqual(ends[0]);
  expect(items.filter(({ record }) => record?.type === 'session.error')).toHaveLength(1);
});

test('D19: a drain lets running turns finish, refuses new work with 503, and leaves no process', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(10_000) }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  const drained = fixture.pool.drain();
  const draining = { code: 'draining', kind: { status: 503 }, retryAfterSeconds: 1 };
  await expect(client.prompt(text('more'))).rejects.toMatchObject(draining);
  await expect(fixture.pool.getSessionClient('b')).rejects.toMatchObject(draining);
  expect(fixture.pool.readiness()).toMatchObject({ ready: false });
  await pass(10_000);
  await drained;
  expect((await handle.ended).reason).toBe('completed');
  expect(fixture.driver.alive).toEqual([]);
  expect(fixture.host.folders.size).toBe(0);
});

test('D19: past its deadline a drain interrupts, then kills', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ hears: HANGS, deaf: HANGS_DEAF }) } });
  const hears = await (await fixture.pool.getSessionClient('a')).prompt(text('hears'));
  const deaf = await (await fixture.pool.getSessionClient('b')).prompt(text('deaf'));
  let done = false;
  const drained = fixture.pool.drain(20_000).then(() => (done = true));
  await pass(19_999);
  expect(hears.phase).toBe('streaming');
  await pass(1);
  expect((await hears.ended).error?.code).toBe('draining');
  await pass(4_999);
  expect(done).toBe(false);
  await pass(1);
  expect((await deaf.ended).error?.code).toBe('draining');
  await drained;
  expect(fixture.driver.alive).toEqual([]);
});

test('D20: a wall clock that jumps changes no age, no idle time and no timer', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(50_000) }) } });
  const client = await fixture.pool.getSessionClient('a');
  const { clientId } = client;
  await ask(fixture, 'a', 'one');
  for (const date of ['2036-01-01T00:00:00Z', '1999-01-01T00:00:00Z']) {
    vi.setSystemTime(new Date(date));
    await pass(100_000);
    expect((await fixture.pool.getSessionClient('a')).clientId).toBe(clientId);
  }
  expect(client.metrics).toMatchObject({ ageSeconds: 200, idleSeconds: 200 });
  const handle = await client.prompt(text('long'));
  await pass(10_000);
  vi.setSystemTime(new Date('2050-01-01T00:00:00Z'));
  await pass(40_000);
  expect((await handle.ended).reason).toBe('completed');
});

test('D21: sessions can be listed, seen, interrupted and deleted', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ hangs: HANGS }) } });
  const { pool } = fixture;
  const client = await pool.getSessionClient('a', { tenant: 'mine' });
  await pass(1_000);
  await pool.getSessionClient('b', { tenant: 'mine' });
  await pool.getSessionClient('c', { tenant: 'theirs' });
  const handle = await client.prompt(text('hangs'));
  await settle();
  const { sessions } = await pool.listSessions('mine', { limit: 10 });
  expect(sessions.map(({ name, status, phase }) => [name, status, phase])).toEqual([
    ['b', 'idle', null],
    ['a', 'active', 'streaming'],
  ]);
  expect(await pool.getSessionInfo('mine', 'a')).toMatchObject({
    clientId: client.clientId,
    messageCount: 1,
  });
  expect(await pool.getSessionInfo('mine', 'c')).toBeUndefined();
  expect(await pool.interruptSession('mine', 'a')).toBe(true);
  expect((await handle.ended).reason).toBe('interrupted');
  expect(await pool.interruptSession('mine', 'a')).toBe(false);
  await expect(pool.interruptSession('mine', 'c')).rejects.toMatchObject({
    code: 'session_not_found',
  });
  expect(await pool.deleteSession('mine', 'a')).toBe(true);
  expect(await pool.deleteSession('mine', 'a')).toBe(false);
  expect(await pool.deleteSession('mine', 'c')).toBe(false);
  expect(await pool.getSessionInfo('mine', 'a')).toBeUndefined();
  expect(fixture.driver.alive).toHaveLength(2);
  await expect(client.prompt(text('again'))).rejects.toMatchObject({ code: 'session_ended' });
  expect(
    answerOf(
      await collect(
        await (await pool.getSessionClient('a', { tenant: 'mine' })).prompt(text('new')),
      ),
    ),
  ).toBe('You said: new. Before: nothing.');
});

function recording(seen: string[], script: Script): Script {
  return (context) => {
    seen.push(context.text);
    return script(context);
  };
}

function contexts(seen: ScriptContext[]): Script {
  return (context) => {
    seen.push(context);
    return echoScript(context);
  };
}

/** The one process that is alive takes so long to close. */
function slowClose(fixture: PoolFixture, ms: number): void {
  const [process] = fixture.driver.alive;
  if (process === undefined) throw new Error('no process is alive');
  const close = process.close.bind(process);
  vi.spyOn(process, 'close').mockImplementation(() => sleep(ms).then(close));
}

/** The names of the sessions that have a process. */
async function aliveNames(fixture: PoolFixture): Promise<string[]> {
  const { sessions } = await fixture.pool.listSessions('default', { limit: 100 });
  const alive = new Set(fixture.driver.alive.map(({ spec }) => spec.sessionId));
  return sessions.flatMap(({ id, name }) => (alive.has(id) ? [name] : [])).toSorted();
}

async function readOn(reader: AsyncIterator<unknown>): Promise<void> {
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
    // Only how it ends matters.
  }
}
