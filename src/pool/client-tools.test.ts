import { expect, test, vi } from 'vitest';
import type { AgentDriver } from '../contracts/agent-driver.ts';
import { newEventId } from '../events/ids.ts';
import type { EventRecord } from '../events/record.ts';
import type { ClientAnswer } from '../session/awaited-answers.ts';
import { MemorySessionStore } from '../store/memory/memory-session-store.ts';
import { CrashableStore } from '../../test/support/crashable-store.ts';
import { settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { FakeHost } from '../../test/support/fake-host.ts';
import { makePool, text } from '../../test/support/pool-fixture.ts';

useFakeClock();

const AGENT = {
  askFirst: ['Write'],
  clientTools: [{ name: 'look_up', description: '', inputSchema: { type: 'object' } }],
};
const LOOK = 'mcp__client__look_up';

/** Hosts that can die, on a store that stays. A prompt `look a b, write c` makes two calls in one message, then another. */
function makeLives() {
  const store = new MemorySessionStore();
  const host = new FakeHost();
  const live = () => {
    const port = new CrashableStore(store);
    const fixture = makePool({
      store: port,
      host,
      driver: {
        script: (context) => {
          const messages = context.text.split(', ').map((message) => ({
            asks: message.split(' ').map((name) => ({
              tool: name.startsWith('write') ? 'Write' : LOOK,
              input: { name },
            })),
          }));
          return { steps: [...messages, { text: ['done'] }] };
        },
      },
    });
    return { ...fixture, crash: () => port.crash() };
  };
  return { store, live };
}

type Life = ReturnType<ReturnType<typeof makeLives>['live']>;

function result(custom_tool_use_id: string, said: string, is_error = false): ClientAnswer {
  const type = 'user.custom_tool_result';
  const content = [{ type: 'text' as const, text: said }];
  return {
    toolUseEventId: custom_tool_use_id,
    body: { type, id: newEventId(), custom_tool_use_id, content, is_error },
  };
}

function allow(tool_use_id: string): ClientAnswer {
  const type = 'user.tool_confirmation';
  return {
    toolUseEventId: tool_use_id,
    body: { type, id: newEventId(), tool_use_id, result: 'allow' },
  };
}

async function prompted(life: Life, prompt: string) {
  const client = await life.pool.getSessionClient('a', { agent: AGENT });
  const handle = await client.prompt(text(prompt), { answers: 'client' });
  return { client, handle };
}

/** Takes up what an earlier host has left. */
async function resumed(life: Life): Promise<void> {
  await life.pool.recover();
  life.pool.resumePrompts();
  await settle();
}

async function recordsOf(store: MemorySessionStore): Promise<EventRecord[]> {
  const row = await store.findSession('default', 'a');
  return row === undefined ? [] : store.readEvents(row.id, 0, 1_000);
}

async function wordsOf(store: MemorySessionStore): Promise<string[]> {
  return (await recordsOf(store)).flatMap(({ body, detail }) => {
    if (body.type === 'session.status_running') return ['running'];
    if (body.type !== 'session.status_idle') return /tool/.test(body.type) ? [body.type] : [];
    const { stop_reason: reason } = body;
    if (reason.type === 'requires_action') return [`asks ${reason.event_ids.length}`];
    return [detail.turnEnd?.error?.code ?? detail.turnEnd?.reason ?? 'idle'];
  });
}

/** What the agents were given as results, in order, whichever process it was. */
function givenTo(...lives: Life[]): string[] {
  return lives.flatMap(({ driver }) =>
    driver.processes.flatMap(({ clientResults }) =>
      clientResults.map(({ content, isError }) => `${String(content[0]?.['text'])} ${isError}`),
    ),
  );
}

/** Between a call that is shown and the wait for it lies the transcript on its way to the store: holds that up. */
function slowTranscripts({ transcripts }: MemorySessionStore): { release: () => Promise<void> } {
  const append = transcripts.append.bind(transcripts);
  let gate = Promise.withResolvers<void>();
  vi.spyOn(transcripts, 'append').mockImplementation(async (key, entries) => {
    if (entries[0]?.type === 'held') await gate.promise;
    return append(key, entries);
  });
  return {
    release() {
      gate.resolve();
      gate = Promise.withResolvers<void>();
      return settle();
    },
  };
}

/** How many calls may lack a result, each time that the pool asks for what is open. */
function inQuestion({ driver }: { readonly driver: AgentDriver }): () => number[] {
  const openCalls = vi.spyOn(driver, 'openCalls');
  // The driver asks itself too, without.
  return () => openCalls.mock.calls.flatMap(([, , neverHanded]) => neverHanded?.length ?? []);
}

/** The calls that clients were shown, oldest first. */
async function shownCalls(store: MemorySessionStore): Promise<string[]> {
  await settle();
  return (await recordsOf(store)).flatMap(({ body }) =>
    body.type === 'agent.custom_tool_use' ? [body.id] : [],
  );
}

test('a turn that calls its client waits for the results, which come in any order', async () => {
  const { store, live } = makeLives();
  const life = live();
  const { client, handle } = await prompted(life, 'a b');
  await settle();
  const [a = '', b = ''] = client.awaitedAnswers;
  await client.answer([result(b, 'in b', true)]);
  expect(client.awaitedAnswers).toEqual([a]);
  await client.answer([result(a, 'in a')]);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(givenTo(life)).toEqual(['in a false', 'in b true']);
  expect(await wordsOf(store)).toEqual([
    'running',
    'agent.custom_tool_use',
    'agent.custom_tool_use',
    'asks 2',
    'user.custom_tool_result',
    'asks 1',
    'user.custom_tool_result',
    'running',
    'completed',
  ]);
});

test('a result may come as soon as its call is shown; what is answered is not asked for', async () => {
  const { store, live } = makeLives();
  const { release } = slowTranscripts(store);
  const life = live();
  const { client, handle } = await prompted(life, 'a b');
  const [a = '', b = ''] = await shownCalls(store);
  await client.answer([result(a, 'in a')]);
  await release();
  expect(client.awaitedAnswers).toEqual([b]);
  await client.answer([result(b, 'in b')]);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(givenTo(life)).toEqual(['in a false', 'in b false']);
  expect((await wordsOf(store)).filter((word) => word.startsWith('asks'))).toEqual(['asks 1']);
});

test('where all results are there before anybody waits, the turn never stops', async () => {
  const { store, live } = makeLives();
  const { release } = slowTranscripts(store);
  const life = live();
  const { client, handle } = await prompted(life, 'a, b');
  const [a = ''] = await shownCalls(store);
  await client.answer([result(a, 'in a')]);
  await release();
  const [, b = ''] = await shownCalls(store);
  await client.answer([result(b, 'in b')]);
  await release();
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(givenTo(life)).toEqual(['in a false', 'in b false']);
  expect((await wordsOf(store)).filter((word) => !/tool/.test(word))).toEqual([
    'running',
    'completed',
  ]);
});

test('a result that is being kept while its turn comes to wait is not asked for', async () => {
  const { store, live } = makeLives();
  const { release } = slowTranscripts(store);
  const life = live();
  const { client, handle } = await prompted(life, 'a');
  const [a = ''] = await shownCalls(store);
  const kept = Promise.withResolvers<void>();
  const append = store.append.bind(store);
  vi.spyOn(store, 'append').mockImplementationOnce(async (...args) => {
    await kept.promise;
    return append(...args);
  });
  const answering = client.answer([result(a, 'in a')]);
  await release();
  kept.resolve();
  await answering;
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect((await wordsOf(store)).filter((word) => word.startsWith('asks'))).toEqual([]);
});

test('what has its result is never in question again, in another process or another host', async () => {
  const { store, live } = makeLives();
  const life = live();
  const opened = inQuestion(life);
  const { client } = await prompted(life, 'a, b c, d');
  for (const said of ['in a', 'in b']) {
    await settle();
    const [first = ''] = client.awaitedAnswers;
    await client.answer([result(first, said)]);
  }
  await settle();
  await life.driver.alive[0]?.destroy('evicted');
  await settle();
  await client.answer(client.awaitedAnswers.map((id) => result(id, 'in c')));
  await settle();
  // The first message is done; of the second, each call in a process of its own.
  expect(opened()).toEqual([2, 1]);
  expect(client.awaitedAnswers).toHaveLength(1);
  life.crash();

  const next = live();
  const again = inQuestion(next);
  await resumed(next);
  const later = await next.pool.getSessionClient('a', { agent: AGENT });
  await later.answer(later.awaitedAnswers.map((id) => result(id, 'in d')));
  await settle();
  expect(again()).toEqual([1]);
  expect((await wordsOf(store)).at(-1)).toBe('completed');
});

test('a call wants its own kind of answer, once', async () => {
  const { store, live } = makeLives();
  const { client, handle } = await prompted(live(), 'a write');
  await settle();
  const [a = '', write = ''] = client.awaitedAnswers;
  const before = (await recordsOf(store)).length;
  for (const wrong of [allow(a), result(write, 'x'), result('sevt_unknown', 'x')])
    await expect(client.answer([wrong])).rejects.toMatchObject({ code: 'invalid_request' });
  expect(await recordsOf(store)).toHaveLength(before);
  await client.answer([result(a, 'in a')]);
  await expect(client.answer([result(a, 'again')])).rejects.toMatchObject({
    code: 'invalid_request',
    message: expect.stringContaining('answered already'),
  });
  await client.answer([allow(write)]);
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
});

test('results survive the death of the host, those that came before it and those that come after', async () => {
  const { store, live } = makeLives();
  const life = live();
  const { client } = await prompted(life, 'a b c');
  await settle();
  const [a = '', b = '', c = ''] = client.awaitedAnswers;
  await client.answer([result(b, 'in b')]);
  life.crash();

  const next = live();
  await resumed(next);
  const again = await next.pool.getSessionClient('a', { agent: AGENT });
  expect(again.awaitedAnswers).toEqual([a, c]);
  await again.answer([result(c, 'in c'), result(a, 'in a')]);
  await settle();
  expect((await wordsOf(store)).at(-1)).toBe('completed');
  expect(givenTo(next)).toEqual(['in a false', 'in b false', 'in c false']);
});

test('a result that was there before its turn came to wait survives too', async () => {
  const { store, live } = makeLives();
  const { release } = slowTranscripts(store);
  const life = live();
  const { client } = await prompted(life, 'a b');
  const [a = '', b = ''] = await shownCalls(store);
  await client.answer([result(a, 'in a')]);
  await release();
  life.crash();

  const next = live();
  await resumed(next);
  const again = await next.pool.getSessionClient('a', { agent: AGENT });
  expect(again.awaitedAnswers).toEqual([b]);
  await again.answer([result(b, 'in b')]);
  await settle();
  expect((await wordsOf(store)).at(-1)).toBe('completed');
  expect(givenTo(life, next)).toEqual(['in a false', 'in b false']);
});

test('a result that was given to a process that died with its host is given again: it does nothing twice', async () => {
  const { store, live } = makeLives();
  const life = live();
  const { client } = await prompted(life, 'a');
  await settle();
  await client.answer(client.awaitedAnswers.map((id) => result(id, 'in a')));
  life.crash();

  const next = live();
  await resumed(next);
  expect((await wordsOf(store)).at(-1)).toBe('completed');
  expect(givenTo(next)).toEqual(['in a false']);
});

test('a call that nobody answers is refused by the policy, and is none for a client', async () => {
  const { store, live } = makeLives();
  const life = live();
  const client = await life.pool.getSessionClient('a', { agent: AGENT });
  const handle = await client.prompt(text('a'));
  expect(await handle.ended).toMatchObject({ reason: 'completed' });
  expect(await wordsOf(store)).toEqual([
    'running',
    'agent.tool_use',
    'agent.tool_result',
    'completed',
  ]);
  await expect(client.answer([result('sevt_x', 'x')])).rejects.toMatchObject({
    code: 'invalid_request',
  });
});
