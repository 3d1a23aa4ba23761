import { expect, test, vi } from 'vitest';
import { TRANSITIONS } from './states.ts';
import { RoundhouseError } from '../errors.ts';
import { turnEndOf } from '../events/record.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { sleep } from '../time/timers.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { answerOf, ask, collect, makePool, text } from '../../test/support/pool-fixture.ts';
import { HANGS, HANGS_DEAF, scriptOf, worksFor } from '../../test/support/scripts.ts';

useFakeClock();

const NO_DISK = new RoundhouseError('storage_failed', 'no disk');

test('every change of state that a life shows stands in the table', async () => {
  const fixture = makePool({
    driver: {
      exitMs: 10,
      script: scriptOf({ long: HANGS, deaf: HANGS_DEAF, dies: { steps: [{ die: 'SIGKILL' }] } }),
    },
  });
  await ask(fixture, 'a', 'one');
  const client = await fixture.pool.getSessionClient('a');
  for (const prompt of ['long', 'deaf', 'dies']) {
    const handle = await client.prompt(text(prompt));
    await pass(100);
    void handle.interrupt();
    await pass(6_000);
    await handle.ended;
  }
  fixture.driver.alive[0]?.die();
  await pass(100);
  await pass(2_000_000);
  const changes = fixture.lines.filter(({ event }) => event === 'session_state_changed');
  expect(changes.length).toBeGreaterThan(15);
  const allowed = Object.entries(TRANSITIONS).flatMap(([from, steps]) =>
    steps.map(({ to }) => `${from} -> ${to}`),
  );
  for (const { from, to } of changes) expect(allowed).toContain(`${String(from)} -> ${String(to)}`);
});

test('a prompt that is refused leaves nothing: no record, no count, no turn', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  vi.spyOn(fixture.store, 'append').mockRejectedValueOnce(NO_DISK);
  await expect(client.prompt([])).rejects.toMatchObject({ code: 'invalid_request' });
  await expect(client.prompt(text('one'))).rejects.toMatchObject({ code: 'storage_failed' });
  expect(client.busy).toBe(false);
  expect(client.metrics.messageCount).toBe(0);
  expect(await fixture.pool.readEvents('default', 'a', { after: 0, limit: 10 })).toEqual([]);
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: nothing.');
});

test('prompts queue behind the running one, up to the bound, and run in their order', async () => {
  const fixture = makePool({
    pool: { maxQueuedTurns: 2 },
    driver: { script: scriptOf({ long: worksFor(1_000) }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  const prompts = ['long', 'b', 'c'].map((prompt) => client.prompt(text(prompt)));
  const handles = await Promise.all(prompts);
  expect(client.queuedTurns).toBe(2);
  await expect(client.prompt(text('d'))).rejects.toMatchObject({
    code: 'queue_full',
    retryAfterSeconds: 1,
  });
  await pass(1_000);
  const answers = await Promise.all(handles.map(async (handle) => answerOf(await collect(handle))));
  expect(answers[2]).toBe('You said: c. Before: long | b.');
  expect(client.metrics.messageCount).toBe(3);
});

test('with a bound of 0 a prompt runs or is refused; the one that waits for its process is not behind another', async () => {
  const fixture = makePool({
    pool: { maxQueuedTurns: 0 },
    driver: { script: scriptOf({ long: worksFor(1_000) }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  await client.disconnect('test');
  const first = await client.prompt(text('long'));
  await expect(client.prompt(text('b'))).rejects.toMatchObject({ code: 'queue_full' });
  await settle();
  await expect(client.prompt(text('c'))).rejects.toMatchObject({ code: 'queue_full' });
  await pass(1_000);
  expect((await first.ended).reason).toBe('completed');
});

test('a caller that wants no queue is refused while the session is busy', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(1_000) }) } });
  const client = await fixture.pool.getSessionClient('a');
  await client.prompt(text('long'), { onBusy: 'reject' });
  await expect(client.prompt(text('b'), { onBusy: 'reject' })).rejects.toMatchObject({
    code: 'session_busy',
    kind: { status: 409 },
  });
});

test('a prompt can be withdrawn while it waits, and no process ever sees it', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: worksFor(1_000) }) } });
  const client = await fixture.pool.getSessionClient('a');
  await client.prompt(text('long'));
  const abort = new AbortController();
  const waiting = await client.prompt(text('b'), { signal: abort.signal });
  const last = await client.prompt(text('c'));
  abort.abort();
  expect(await waiting.ended).toMatchObject({
    reason: 'cancelled',
    error: { code: 'turn_cancelled' },
  });
  await pass(1_000);
  expect(answerOf(await collect(last))).toBe('You said: c. Before: long.');
  expect((await collect(waiting)).map(({ record }) => record?.type)).toEqual([
    'user.message',
    'session.error',
  ]);
});

test('a prompt that is withdrawn while it waits for a process asks for none any more', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1 },
    driver: { script: scriptOf({ long: HANGS }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  await client.disconnect('evicted');
  const other = await (await fixture.pool.getSessionClient('b')).prompt(text('long'));
  const first = await client.prompt(text('one'));
  const second = await client.prompt(text('two'));
  await settle();
  const waiting = (): number => fixture.pool.stats().processSlots.waiting;
  expect(await first.interrupt()).toBe(true);
  await settle();
  // Somebody else needs it.
  expect([client.status, waiting()]).toEqual(['connecting', 1]);
  expect(await second.interrupt()).toBe(true);
  await settle();
  expect([client.status, waiting()]).toEqual(['disconnected', 0]);
  await other.interrupt();
  await pass(100);
  expect(fixture.driver.processes).toHaveLength(2);
  expect(await ask(fixture, 'a', 'three')).toBe('You said: three. Before: nothing.');
});

test('a prompt that waits too long behind others fails with queue_timeout', async () => {
  const fixture = makePool({
    limits: { queuedMs: 5_000 },
    driver: { script: scriptOf({ long: worksFor(10_000) }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  await client.prompt(text('long'));
  const waiting = await client.prompt(text('b'));
  await pass(5_000);
  expect(await waiting.ended).toMatchObject({ reason: 'failed', error: { code: 'queue_timeout' } });
});

test('a prompt that gets no process waits once for one, and leaves nobody waiting', async () => {
  const fixture = makePool({
    pool: { maxProcesses: 1, waitMs: 1_000 },
    driver: { script: scriptOf({ long: worksFor(10_000) }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  await client.disconnect('test');
  const busy = await fixture.pool.getSessionClient('b');
  await busy.prompt(text('long'));
  const waiting = await client.prompt(text('one'));
  await pass(1_000);
  expect(await waiting.ended).toMatchObject({ error: { code: 'pool_at_capacity' } });
  expect(client.status).toBe('disconnected');
  expect(fixture.pool.stats().processSlots.waiting).toBe(0);
});

test('a prompt on a session whose process was evicted meanwhile gets a process again', async () => {
  const fixture = makePool({ pool: { maxProcesses: 1 } });
  const client = await fixture.pool.getSessionClient('a');
  await (
    await client.prompt(text('one'))
  ).ended;
  await ask(fixture, 'b', 'hello');
  expect(client.status).toBe('disconnected');
  const handle = await client.prompt(text('two'));
  expect(answerOf(await collect(handle))).toBe('You said: two. Before: one.');
});

test('a process that dies while the end of its turn is being written does not stay attached', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  const append = fixture.store.append.bind(fixture.store);
  const process = fixture.driver.alive[0];
  vi.spyOn(fixture.store, 'append').mockImplementation(async (...call) => {
    const ends = call[2].some((record) => turnEndOf(record) !== undefined);
    if (ends) {
      process?.die();
      await sleep(10);
    }
    return append(...call);
  });
  const handle = await client.prompt(text('one'));
  await pass(10);
  expect((await handle.ended).reason).toBe('completed');
  vi.restoreAllMocks();
  await settle();
  expect(client.status).toBe('error');
  const next = await client.prompt(text('two'));
  await settle();
  expect(answerOf(await collect(next))).toBe('You said: two. Before: one.');
});

test('what the store will not take is not shown, nor anything after it, and the turn ends with storage_failed', async () => {
  const fixture = makePool({
    driver: {
      script: scriptOf({
        long: {
          steps: [{ text: ['one'] }, { text: ['two'] }, { waitMs: 5_000 }, { text: ['three'] }],
        },
      }),
    },
  });
  const client = await fixture.pool.getSessionClient('a');
  const append = fixture.store.append.bind(fixture.store);
  let refusals = 0;
  vi.spyOn(fixture.store, 'append').mockImplementation(async (...call) => {
    const [record] = call[2];
    if (record?.body.type === 'agent.message' && refusals === 0) {
      refusals += 1;
      throw NO_DISK;
    }
    return append(...call);
  });
  const handle = await client.prompt(text('long'));
  const items = collect(handle);
  await pass(10_000);
  expect(await handle.ended).toMatchObject({ reason: 'failed', error: { code: 'storage_failed' } });
  expect(answerOf(await items)).toBe('');
  const shown = (await items).filter(({ preview }) => preview?.kind === 'text_delta');
  expect(shown).toHaveLength(1);
});

test('a turn of which something could not be stored is never completed, even if the agent was done before it could be stopped', async () => {
  const steps = [{ text: ['one'] }, { text: ['two'] }];
  const driver = { script: () => ({ steps, interruptible: false }) };
  const fixture = makePool({ driver });
  const client = await fixture.pool.getSessionClient('a');
  const append = fixture.store.append.bind(fixture.store);
  vi.spyOn(fixture.store, 'append').mockImplementation(async (...call) => {
    if (call[2].some(({ body }) => body.type === 'agent.message')) throw NO_DISK;
    return append(...call);
  });
  const handle = await client.prompt(text('long'));
  const items = collect(handle);
  await pass(10);
  expect(await handle.ended).toMatchObject({ reason: 'failed', error: { code: 'storage_failed' } });
  const shown = (await items).filter(({ preview }) => preview?.kind === 'text_delta');
  expect(shown).toHaveLength(1);
});

test('a transcript that is stale is noted also in a turn of which something could not be stored', async () => {
  const steps = [{ text: ['one'] }, { stale: true }] as const;
  const fixture = makePool({ driver: { script: () => ({ steps, interruptible: false }) } });
  const client = await fixture.pool.getSessionClient('a');
  const append = fixture.store.append.bind(fixture.store);
  vi.spyOn(fixture.store, 'append').mockImplementation(async (...call) => {
    if (call[2].some(({ body }) => body.type === 'agent.message')) throw NO_DISK;
    return append(...call);
  });
  const handle = await client.prompt(text('one'));
  await pass(10);
  await handle.ended;
  expect(client.row.staleTranscriptFolder).toMatch(/^\/processes\//);
});

test('a turn can be interrupted while the store fails', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await settle();
  vi.spyOn(fixture.store, 'append').mockRejectedValueOnce(NO_DISK);
  expect(await client.interrupt()).toBe(true);
  expect((await handle.ended).reason).toBe('interrupted');
});

test('an end that is owed is written before the session leaves memory', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  const append = fixture.store.append.bind(fixture.store);
  let broken = true;
  vi.spyOn(fixture.store, 'append').mockImplementation(async (...call) => {
    if (broken && call[2].some((record) => turnEndOf(record) !== undefined)) throw NO_DISK;
    return append(...call);
  });
  const handle = await client.prompt(text('one'));
  await expect(collect(handle)).rejects.toMatchObject({ code: 'storage_failed' });
  expect(await fixture.store.unfinishedTurns()).toHaveLength(1);
  broken = false;
  await fixture.pool.close();
  expect(await fixture.store.unfinishedTurns()).toEqual([]);
});

test('a turn whose last reader left is interrupted after the grace, where its prompt asked for that', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'), {
    whenUnread: { policy: 'interrupt', graceMs: 1_000 },
  });
  for await (const { record } of handle) if (record?.type === 'agent.message') break;
  await pass(999);
  expect(handle.phase).toBe('streaming');
  await pass(1);
  expect(await handle.ended).toMatchObject({
    reason: 'interrupted',
    error: { code: 'reader_left' },
  });
});

test('usage adds up over the turns of a session', async () => {
  const fixture = makePool({ store: new MemorySessionStore() });
  await ask(fixture, 'a', 'one');
  await ask(fixture, 'a', 'two');
  expect(await fixture.pool.getSessionInfo('default', 'a')).toMatchObject({
    turnCount: 2,
    usage: { inputTokens: 20, outputTokens: 10 },
  });
});

test('a turn that failed counts as an error, one that was interrupted does not', async () => {
  const fixture = makePool({
    driver: { script: scriptOf({ long: HANGS, dies: { steps: [{ die: 'SIGKILL' }] } }) },
  });
  const client = await fixture.pool.getSessionClient('a');
  const long = await client.prompt(text('long'));
  await pass(100);
  await long.interrupt();
  expect(client.metrics.errorCount).toBe(0);
  const dies = await client.prompt(text('dies'));
  await pass(1_000);
  expect(await dies.ended).toMatchObject({ reason: 'failed' });
  expect(client.metrics.errorCount).toBe(1);
});

test('an interrupt that was in time leaves the process alone, also past its deadline', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await pass(100);
  await handle.interrupt();
  const { clientId } = client;
  await pass(client.limits.interruptMs * 2);
  expect(client.status).toBe('idle');
  expect(client.healthy).toBe(true);
  expect(client.clientId).toBe(clientId);
});

test('a session without a process does not hold the stream of its last turn', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  await collect(await client.prompt(text('one')));
  await settle();
  expect(client.stream).toBeDefined();
  await client.disconnect('test');
  expect(client.stream).toBeUndefined();
});

test('prompts that wait when a session leaves memory end with why it did', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  await client.prompt(text('long'));
  const waiting = await client.prompt(text('two'));
  await pass(100);
  const over = client.end(new RoundhouseError('draining', 'It is over.'));
  await pass(6_000);
  await over;
  expect(await waiting.ended).toMatchObject({ reason: 'failed', error: { code: 'draining' } });
});
