import { expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { newEventId } from '../events/ids.ts';
import { turnEndOf, type EventRecord, type SessionEvent } from '../events/record.ts';
import type { ClientAnswer } from '../session/awaited-answers.ts';
import { sleep } from '../time/timers.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { CrashableStore } from '../../test/support/crashable-store.ts';
import { failWhereItSpins } from '../../test/support/fail-where-it-spins.ts';
import { FakeHost } from '../../test/support/fake-host.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { answerOf, ask, collect, makePool, text } from '../../test/support/pool-fixture.ts';
import { echoScript } from '../agent/scripted/script.ts';

useFakeClock();

/**
 * Hosts that can die, on a store and a machine that stay. A prompt `asks a b, c` makes two calls in one message and then one
 * in the next; `ran` has those that were carried out.
 */
function makeLives() {
  const store = new MemorySessionStore();
  const host = new FakeHost();
  const ran: string[] = [];
  /** Called when a call is carried out. */
  let onRun: ((name: string) => void | Promise<void>) | undefined;
  const live = (
    pool: { maxProcesses?: number; maxTurnsPerProcess?: number } = {},
    times: { startMs?: number; exitMs?: number } = {},
  ) => {
    const port = new CrashableStore(store);
    const fixture = makePool({
      store: port,
      host,
      pool: { maxProcesses: 4, idleThresholdMs: 60_000, cleanupIntervalMs: 10_000, ...pool },
      driver: {
        ...times,
        onTool: async ({ input }) => {
          ran.push(String(input['name']));
          await onRun?.(String(input['name']));
        },
        script: (context) => {
          const [word, asks = ''] = context.text.split(/ (.*)/);
          if (word === 'hang') return { steps: [{ hang: true }] };
          if (word !== 'asks') return echoScript(context);
          const messages = asks.split(', ').map((names) => ({
            asks: names.split(' ').map((name) => ({ tool: 'Write', input: { name } })),
          }));
          return { steps: [...messages, { text: ['done'] }] };
        },
      },
    });
    return { ...fixture, port, crash: () => port.crash() };
  };
  return {
    store,
    ran,
    live,
    onRun: (does: typeof onRun) => {
      onRun = does;
    },
  };
}

type Life = ReturnType<ReturnType<typeof makeLives>['live']>;

async function waitingTurn(life: Life, prompt: string, session = 'a') {
  const client = await life.pool.getSessionClient(session);
  const handle = await client.prompt(text(prompt), { answers: 'client' });
  await settle();
  return { client, handle, ids: client.awaitedAnswers };
}

function allow(toolUseEventId: string): ClientAnswer {
  const type = 'user.tool_confirmation';
  return {
    toolUseEventId,
    body: { type, id: newEventId(), tool_use_id: toolUseEventId, result: 'allow' },
  };
}

function deny(toolUseEventId: string, message: string): ClientAnswer {
  const type = 'user.tool_confirmation';
  const denial = { result: 'deny', deny_message: message } as const;
  return {
    toolUseEventId,
    body: { type, id: newEventId(), tool_use_id: toolUseEventId, ...denial },
  };
}

function asksFor(body: Extract<SessionEvent, { type: 'session.status_idle' }>): boolean {
  return body.stop_reason.type === 'requires_action';
}

/** Leave for a call, as one of several inputs. */
function answerTo(toolUseEventId: string) {
  return { kind: 'answer', toolUseEventId, result: 'allow' } as const;
}

async function recordsOf(store: MemorySessionStore, session = 'a'): Promise<EventRecord[]> {
  const row = await store.findSession('default', session);
  return row === undefined ? [] : store.readEvents(row.id, 0, 1_000);
}

/** The statuses of a session, what is asked in them, and the ends. */
async function statusesOf(store: MemorySessionStore): Promise<string[]> {
  return (await recordsOf(store)).flatMap(({ body, detail }) => {
    if (body.type === 'session.status_running') return ['running'];
    if (body.type !== 'session.status_idle') return [];
    const { stop_reason: reason } = body;
    if (reason.type === 'requires_action') return [`asks ${reason.event_ids.length}`];
    return [detail.turnEnd?.error?.code ?? detail.turnEnd?.reason ?? 'idle'];
  });
}

async function resultsOf(store: MemorySessionStore): Promise<string[]> {
  return (await recordsOf(store)).flatMap(({ body }) => {
    if (body.type !== 'agent.tool_result') return [];
    return [body.content?.map((block) => ('text' in block ? block.text : '')).join('') ?? ''];
  });
}

test('a turn that asks its client stops, says what it waits for, and goes on when that is answered', async () => {
  const lives = makeLives();
  const life = lives.live();
  const { client, handle, ids } = await waitingTurn(life, 'asks x');
  expect([client.status, client.phase, client.busy]).toEqual(['idle', 'awaiting-client', true]);
  expect(ids).toHaveLength(1);
  expect(lives.ran).toEqual([]);
  await client.answer([allow(ids[0] ?? '')]);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(lives.ran).toEqual(['x']);
  expect(await statusesOf(lives.store)).toEqual(['running', 'asks 1', 'running', 'completed']);
  expect(answerOf(await collect(handle))).toBe('done');
  const numbers = (await recordsOf(lives.store)).map(({ number }) => number);
  expect(numbers).toEqual(numbers.map((_number, index) => index + 1));
});

test('answers may come one by one, in any order, and from several at once', async () => {
  const lives = makeLives();
  const { client, handle, ids } = await waitingTurn(lives.live(), 'asks x y z');
  const [x = '', y = '', z = ''] = ids;
  await Promise.all([client.answer([allow(z)]), client.answer([deny(x, 'not x')])]);
  expect(client.awaitedAnswers).toEqual([y]);
  expect(lives.ran).toEqual([]);
  await client.answer([allow(y)]);
  await handle.ended;
  expect(lives.ran).toEqual(['y', 'z']);
  expect(await resultsOf(lives.store)).toEqual(['not x', 'allowed', 'allowed']);
  const statuses = ['running', 'asks 3', 'asks 2', 'asks 1', 'running', 'completed'];
  expect(await statusesOf(lives.store)).toEqual(statuses);
});

test('an answer to what is not awaited is refused by name, and nothing of it is kept', async () => {
  const lives = makeLives();
  const { client, handle, ids } = await waitingTurn(lives.live(), 'asks x y');
  const [x = '', y = ''] = ids;
  await client.answer([allow(x)]);
  const before = await recordsOf(lives.store);
  for (const answers of [
    [allow('sevt_unknown')],
    [allow(y), allow('sevt_unknown')],
    [deny(x, 'changed my mind')],
    [allow(y), deny(y, 'or not')],
    [{ toolUseEventId: y, body: allow(x).body }],
  ]) {
    await expect(client.answer(answers)).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining(y),
    });
  }
  expect(await recordsOf(lives.store)).toEqual(before);
  await client.answer([allow(y)]);
  await handle.ended;
  await expect(client.answer([allow(y)])).rejects.toMatchObject({ code: 'invalid_request' });
  expect(lives.ran).toEqual(['x', 'y']);
});

test('an answer that the store does not take is none: the turn waits on', async () => {
  const lives = makeLives();
  const life = lives.live();
  const { client, handle, ids } = await waitingTurn(life, 'asks x');
  life.port.failAppends(1);
  await expect(client.answer(ids.map(allow))).rejects.toMatchObject({ code: 'storage_failed' });
  await settle();
  expect([lives.ran, client.awaitedAnswers]).toEqual([[], ids]);
  await client.answer(ids.map(allow));
  await handle.ended;
  expect(lives.ran).toEqual(['x']);
});

test('a process whose turn waits goes to whoever needs it; the turn goes on in another one', async () => {
  const lives = makeLives();
  const life = lives.live({ maxProcesses: 1 });
  const { client, handle, ids } = await waitingTurn(life, 'asks x y');
  expect(await ask(life, 'b', 'hello')).toContain('You said: hello');
  expect(client.status).toBe('disconnected');
  await client.answer([deny(ids[1] ?? '', 'not y'), allow(ids[0] ?? '')]);
  await pass(2_000);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(lives.ran).toEqual(['x']);
  expect(await resultsOf(lives.store)).toEqual(['allowed', 'not y']);
  expect(new Set((await recordsOf(lives.store)).map(({ turnId }) => turnId)).size).toBe(1);
  expect(await ask(life, 'a', 'and now')).toContain('Before: asks x y.');
});

test('a turn that waits is the last to lose its process, and loses it to nobody who does not need it', async () => {
  const lives = makeLives();
  const life = lives.live({ maxProcesses: 2 });
  const { client } = await waitingTurn(life, 'asks x');
  await ask(life, 'b', 'hello');
  await pass(5_000);
  await ask(life, 'c', 'hello');
  expect(client.clientId).not.toBeNull();
  await pass(70_000);
  expect([client.clientId, client.awaitedAnswers.length]).toEqual([null, 1]);
});

test('a turn whose process dies while it waits is not hurt by it', async () => {
  const lives = makeLives();
  const life = lives.live();
  const { client, handle, ids } = await waitingTurn(life, 'asks x');
  life.driver.alive[0]?.die();
  await settle();
  expect(client.awaitedAnswers).toEqual(ids);
  await client.answer(ids.map(allow));
  await pass(2_000);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(lives.ran).toEqual(['x']);
});

test('a turn that waits survives the death of its host, and is answered at the next one', async () => {
  const lives = makeLives();
  const first = lives.live();
  const { ids } = await waitingTurn(first, 'asks x y, z');
  await first.pool.answer('default', 'a', [allow(ids[1] ?? '')]);
  first.crash();
  const second = lives.live();
  expect(await second.pool.recover()).toMatchObject({ turnsEnded: 0 });
  second.pool.resumePrompts();
  await pass(5_000);
  expect(second.pool.stats().residentSessions).toBe(0);
  await second.pool.getSessionClient('a');
  expect([lives.ran, second.driver.processes]).toEqual([[], []]);
  await second.pool.answer('default', 'a', [deny(ids[0] ?? '', 'not x')]);
  await pass(2_000);
  expect(lives.ran).toEqual(['y']);
  const client = await second.pool.getSessionClient('a');
  expect(client.awaitedAnswers).toHaveLength(1);
  await client.answer(client.awaitedAnswers.map(allow));
  await pass(1_000);
  expect(lives.ran).toEqual(['y', 'z']);
  const ends = (await recordsOf(lives.store)).flatMap((record) => turnEndOf(record)?.reason ?? []);
  expect(ends).toEqual(['completed']);
});

test('answers that were kept and not carried out when the host died are carried out by the next one', async () => {
  const lives = makeLives();
  const first = lives.live({ maxProcesses: 1 });
  const { ids, client } = await waitingTurn(first, 'asks x y');
  await client.disconnect('evicted');
  await client.answer(ids.map(allow));
  first.crash();
  const second = lives.live();
  await second.pool.recover();
  second.pool.resumePrompts();
  await pass(5_000);
  expect(lives.ran).toEqual(['x', 'y']);
  expect((await statusesOf(lives.store)).at(-1)).toBe('completed');
});

test('a call that was handed over when the host died is never carried out again: the model is told that nobody knows', async () => {
  const lives = makeLives();
  const first = lives.live();
  const { ids, client } = await waitingTurn(first, 'asks x y z');
  lives.onRun((name) => {
    if (name === 'y') first.crash();
  });
  await client.answer(ids.map((id, place) => (place === 2 ? deny(id, 'not z') : allow(id))));
  await settle();
  expect(lives.ran).toEqual(['x', 'y']);
  lives.onRun(undefined);
  const second = lives.live();
  expect(await second.pool.recover()).toMatchObject({ turnsEnded: 0 });
  second.pool.resumePrompts();
  await pass(5_000);
  expect(lives.ran).toEqual(['x', 'y']);
  const [x, y, z] = await resultsOf(lives.store);
  expect([x, z]).toEqual(['allowed', 'not z']);
  expect(y).toContain('It is not known whether this call of Write was carried out');
  expect((await statusesOf(lives.store)).at(-1)).toBe('completed');
});

test('the same holds for a call that was taken up', async () => {
  const lives = makeLives();
  const first = lives.live();
  const { ids, client } = await waitingTurn(first, 'asks x');
  await client.disconnect('evicted');
  lives.onRun(() => first.crash());
  await client.answer(ids.map(allow));
  await pass(1_000);
  lives.onRun(undefined);
  const second = lives.live();
  await second.pool.recover();
  second.pool.resumePrompts();
  await pass(5_000);
  expect(lives.ran).toEqual(['x']);
  expect((await resultsOf(lives.store)).join()).toContain('It is not known');
});

test.each(['in its process', 'without a process', 'at the next host'] as const)(
  'an interrupt ends a turn that waits %s, and the next prompt works',
  async (where) => {
    const lives = makeLives();
    let life = lives.live();
    const { client } = await waitingTurn(life, 'asks x y');
    if (where === 'without a process') await client.disconnect('evicted');
    if (where === 'at the next host') {
      life.crash();
      life = lives.live();
      await life.pool.recover();
      life.pool.resumePrompts();
    }
    expect(await life.pool.interruptSession('default', 'a')).toBe(true);
    expect((await statusesOf(lives.store)).at(-1)).toBe('turn_interrupted');
    expect(await ask(life, 'a', 'and now')).toContain('You said: and now');
    expect(lives.ran).toEqual([]);
  },
);

test('an interrupt of a turn that is about to go on without a process ends it, and carries out nothing', async () => {
  const lives = makeLives();
  const life = lives.live({ maxProcesses: 1 });
  const { client, handle, ids } = await waitingTurn(life, 'asks x');
  const other = await (await life.pool.getSessionClient('b')).prompt(text('hang'));
  expect(client.clientId).toBeNull();
  await client.answer(ids.map(allow));
  await settle();
  expect([client.status, life.pool.stats().processSlots.waiting]).toEqual(['connecting', 1]);
  void client.interrupt();
  await settle();
  expect(await handle.ended).toMatchObject({ reason: 'interrupted' });
  expect(life.pool.stats().processSlots.waiting).toBe(0);
  expect(lives.ran).toEqual([]);
  void other.interrupt();
  await pass(5_000);
  expect(await ask(life, 'a', 'and now')).toContain('You said: and now');
});

test.each(['waits', 'is about to go on', 'runs'] as const)(
  'an interrupt that was kept ends a turn that %s, also when its host dies at that moment',
  async (what) => {
    const lives = makeLives();
    const first = lives.live();
    const { client, ids } = await waitingTurn(first, what === 'runs' ? 'hang' : 'asks x');
    if (what === 'is about to go on') {
      await client.disconnect('evicted');
      await client.answer(ids.map(allow));
    }
    const append = first.port.append.bind(first.port);
    vi.spyOn(first.port, 'append').mockImplementation(async (...call) => {
      const written = await append(...call);
      if (call[2].some(({ type }) => type === 'user.interrupt')) first.crash();
      return written;
    });
    void client.interrupt();
    await settle();
    const second = lives.live();
    expect(await second.pool.recover()).toMatchObject({ turnsEnded: 1 });
    second.pool.resumePrompts();
    await pass(5_000);
    expect((await statusesOf(lives.store)).at(-1)).toBe('turn_interrupted');
    expect(await ask(second, 'a', 'and now')).toContain('You said: and now');
    expect(lives.ran).toEqual([]);
  },
);

test('answers that come while the process of the call dies, before the wait has begun, are taken up', async () => {
  const lives = makeLives();
  const life = lives.live();
  const client = await life.pool.getSessionClient('a');
  const asking = Promise.withResolvers<void>();
  const kept = Promise.withResolvers<void>();
  const append = life.port.append.bind(life.port);
  vi.spyOn(life.port, 'append').mockImplementation(async (...call) => {
    if (call[2].some(({ body }) => body.type === 'session.status_idle' && asksFor(body))) {
      asking.resolve();
      await kept.promise;
    }
    return append(...call);
  });
  const handle = await client.prompt(text('asks x'), { answers: 'client' });
  await asking.promise;
  const call = (await recordsOf(lives.store)).find(({ type }) => type === 'agent.tool_use');
  failWhereItSpins(life.driver.alive[0]);
  life.driver.alive[0]?.die();
  await settle();
  const answered = client.answer([allow(call?.body.id ?? '')]);
  kept.resolve();
  await answered;
  await pass(5_000);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(lives.ran).toEqual(['x']);
});

test('a prompt behind a turn that is stopped before it goes on gets a process of its own', async () => {
  const lives = makeLives();
  const life = lives.live({ maxProcesses: 1 });
  const { client, handle, ids } = await waitingTurn(life, 'asks x');
  const other = await (await life.pool.getSessionClient('b')).prompt(text('hang'));
  await client.answer(ids.map(allow));
  const behind = await client.prompt(text('behind'));
  void client.interrupt();
  await settle();
  expect(await handle.ended).toMatchObject({ reason: 'interrupted' });
  void other.interrupt();
  await pass(5_000);
  expect(await behind.ended).toMatchObject({ reason: 'completed' });
  expect(answerOf(await collect(behind))).toContain('You said: behind');
  const own = (await recordsOf(lives.store)).filter(({ turnId }) => turnId === handle.turnId);
  expect(own.at(-1)?.detail.turnEnd?.reason).toBe('interrupted');
  // Such a process carries its call out as soon as it is up.
  expect(life.driver.processes.map(({ spec }) => spec.takeUp)).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('a turn that is stopped between two calls, while the process of the first goes, holds up nobody', async () => {
  const lives = makeLives();
  const life = lives.live({}, { exitMs: 500 });
  const { client, handle, ids } = await waitingTurn(life, 'asks x y');
  void client.disconnect('evicted');
  await pass(1_000);
  await client.answer(ids.map(allow));
  await pass(100);
  expect([client.status, client.phase, lives.ran]).toEqual(['closing', 'tool', ['x']]);
  const behind = await client.prompt(text('behind'));
  void client.interrupt();
  await pass(5_000);
  expect(await handle.ended).toMatchObject({ reason: 'interrupted' });
  expect(await behind.ended).toMatchObject({ reason: 'completed' });
  expect(lives.ran).toEqual(['x']);
  expect(await ask(life, 'a', 'and now')).toContain('You said: and now');
});

test('a prompt waits behind a turn that waits, also over a restart', async () => {
  const lives = makeLives();
  const first = lives.live();
  const { client } = await waitingTurn(first, 'asks x');
  await client.prompt(text('behind'));
  await pass(60_000);
  expect(await statusesOf(lives.store)).toEqual(['running', 'asks 1']);
  first.crash();
  const second = lives.live();
  await second.pool.recover();
  second.pool.resumePrompts();
  await pass(1_000);
  const again = await second.pool.getSessionClient('a');
  expect(again.queuedTurns).toBe(1);
  await again.answer(again.awaitedAnswers.map(allow));
  await pass(2_000);
  expect((await statusesOf(lives.store)).filter((status) => status === 'completed')).toHaveLength(
    2,
  );
  expect(lives.ran).toEqual(['x']);
});

test('the wait has a limit of its own, and counts for no other', async () => {
  const lives = makeLives();
  const life = lives.live();
  const client = await life.pool.getSessionClient('a', {
    limits: { awaitingClientMs: 20_000_000, turnMs: 60_000 },
  });
  const handle = await client.prompt(text('asks x, y'), { answers: 'client' });
  lives.onRun(() => sleep(5_000));
  await pass(19_000_000);
  expect(await life.pool.getSessionClient('a')).toBe(client);
  await client.answer(client.awaitedAnswers.map(allow));
  await pass(6_000);
  expect(client.awaitedAnswers).toHaveLength(1);
  await pass(20_000_100);
  expect(await handle.ended).toMatchObject({ error: { code: 'client_timeout' } });
  expect(lives.ran).toEqual(['x']);
});

test('a drain leaves a turn that waits to the next host, and takes no answer', async () => {
  const lives = makeLives();
  const first = lives.live();
  const { client, ids, handle } = await waitingTurn(first, 'asks x');
  const draining = first.pool.drain(10_000);
  await settle();
  await expect(client.answer(ids.map(allow))).rejects.toMatchObject({ code: 'draining' });
  await draining;
  expect((await handle.ended).error?.code).toBe('draining');
  const second = lives.live();
  await second.pool.recover();
  await second.pool.answer('default', 'a', ids.map(allow));
  await pass(2_000);
  expect(await statusesOf(lives.store)).toEqual([
    'running',
    'asks 1',
    'running',
    'running',
    'completed',
  ]);
  expect(lives.ran).toEqual(['x']);
});

test('a session with a turn that waits can be deleted', async () => {
  const lives = makeLives();
  const life = lives.live();
  const { handle } = await waitingTurn(life, 'asks x');
  expect(await life.pool.deleteSession('default', 'a')).toBe(true);
  expect((await handle.ended).error?.code).toBe('session_ended');
  expect(life.pool.processesOwned).toBe(0);
  expect(await life.pool.getSessionInfo('default', 'a')).toBeUndefined();
});

test('a turn that can get no process to go on in ends with the reason, and holds up nobody', async () => {
  const lives = makeLives();
  const life = lives.live();
  const { client, handle, ids } = await waitingTurn(life, 'asks x');
  await client.disconnect('evicted');
  const failure = new RoundhouseError('session_connection_failed', 'no start');
  let starts = 0;
  life.driver.start = () => {
    starts += 1;
    return Promise.reject(failure);
  };
  await client.answer(ids.map(allow));
  await pass(60_000);
  expect(await handle.ended).toMatchObject({ error: { code: 'session_connection_failed' } });
  // A start that has failed may have carried the call out.
  expect([starts, lives.ran]).toEqual([1, []]);
});

test('where nobody answers, a call that asks is denied at once, and the model is told why', async () => {
  const lives = makeLives();
  expect(await ask(lives.live(), 'a', 'asks x')).toBe('done');
  expect(lives.ran).toEqual([]);
  expect((await resultsOf(lives.store)).join()).toContain('nobody can be asked on this session');
});

test('answers may come with other inputs, all or none, and once under their key', async () => {
  const lives = makeLives();
  const life = lives.live();
  const client = await life.pool.getSessionClient('a');
  await client.submit([{ kind: 'prompt', content: text('asks x y') }]);
  await settle();
  const [x = '', y = ''] = client.awaitedAnswers;
  const next = { kind: 'prompt', content: text('next') } as const;
  const before = await recordsOf(lives.store);
  await expect(client.submit([next, answerTo(x), answerTo('sevt_other')])).rejects.toMatchObject({
    code: 'invalid_request',
  });
  expect(await recordsOf(lives.store)).toEqual(before);
  const denial = { ...answerTo(y), result: 'deny', message: 'not y' } as const;
  const request = { idempotency: { key: 'k', digest: 'd' } };
  const sent = await client.submit([answerTo(x), denial, next], request);
  expect(sent.map(({ type }) => type)).toEqual([
    'user.tool_confirmation',
    'user.tool_confirmation',
    'user.message',
  ]);
  await pass(2_000);
  expect(await client.submit([answerTo(x), denial, next], request)).toEqual(sent);
  await pass(2_000);
  expect([lives.ran, await resultsOf(lives.store)]).toEqual([['x'], ['allowed', 'not y']]);
  expect((await statusesOf(lives.store)).filter((status) => status === 'completed')).toHaveLength(
    2,
  );
  expect(await recordsOf(lives.store)).toEqual(
    expect.arrayContaining(sent.map((body) => expect.objectContaining({ body }))),
  );
});

test('a turn counts what it used in all of its processes', async () => {
  const lives = makeLives();
  const life = lives.live();
  const { client, handle, ids } = await waitingTurn(life, 'asks x');
  await client.disconnect('evicted');
  await client.answer(ids.map(allow));
  await pass(2_000);
  expect(await handle.ended).toMatchObject({ modelRequests: 2, usage: { outputTokens: 10 } });
  expect(client.row.usage.outputTokens).toBe(10);
});
