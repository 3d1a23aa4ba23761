import { randomUUID } from 'node:crypto';
import type Anthropic from '@anthropic-ai/sdk';
import { APIError, BadRequestError, ConflictError, NotFoundError } from '@anthropic-ai/sdk';
import type {
  BetaManagedAgentsSessionEvent as SessionEvent,
  BetaManagedAgentsStreamSessionEvents as StreamEvent,
  EventSendParams,
  EventStreamParams,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import { describe, expect, test } from 'vitest';
import { catalogServer, failure, type CatalogServer } from '../support/catalog-server.ts';
import type { Script, ScriptedTurn } from '../../src/agent/scripted/script.ts';
import { HANGS, NEVER_TAKEN, scriptOf } from '../support/scripts.ts';
import { SseReader } from '../support/sse-reader.ts';

const TALKS: ScriptedTurn = {
  steps: [
    { thinking: 'let me see' },
    { text: ['One', ' two', ' three'] },
    { tool: 'Bash', input: { command: 'ls', timeout: 5_000 }, output: 'a b' },
    { text: ['and', ' done'] },
  ],
};

async function start(
  turns: Readonly<Record<string, ScriptedTurn>> = {},
  script: Script = scriptOf({ talk: TALKS, hang: HANGS, ...turns }),
): Promise<CatalogServer & { readonly id: string }> {
  const server = await catalogServer({ pool: { driver: { script } } });
  return { ...server, id: await newSession(server.alice) };
}

async function newSession({ beta }: Anthropic): Promise<string> {
  const agent = await beta.agents.create({ name: 'A', model: 'sonnet' });
  const environment = await beta.environments.create({ name: 'E' });
  const session = await beta.sessions.create({ agent: agent.id, environment_id: environment.id });
  return session.id;
}

function message(text: string): EventSendParams['events'][number] {
  return { type: 'user.message', content: [{ type: 'text', text }] };
}

const answer = (tool_use_id: string): EventSendParams['events'][number] => ({
  type: 'user.tool_confirmation',
  tool_use_id,
  result: 'allow',
});

function isKept(event: StreamEvent): event is SessionEvent {
  return event.type !== 'event_start' && event.type !== 'event_delta';
}

/** Reads a stream to the event that passes, which is the last of the result. */
async function readUntil(
  stream: AsyncIterable<StreamEvent>,
  isLast: (event: StreamEvent) => boolean,
): Promise<StreamEvent[]> {
  const seen: StreamEvent[] = [];
  for await (const event of stream) {
    seen.push(event);
    if (isLast(event)) return seen;
  }
  throw new Error(`The stream ended after ${seen.map(({ type }) => type).join(', ')}.`);
}

const isIdle = ({ type }: StreamEvent): boolean => type === 'session.status_idle';

async function allEvents(client: Anthropic, id: string, limit = 1_000): Promise<SessionEvent[]> {
  const events: SessionEvent[] = [];
  for await (const event of client.beta.sessions.events.list(id, { limit })) events.push(event);
  return events;
}

/** Sends a message and waits until the session is idle again. */
async function run(client: Anthropic, id: string, text: string): Promise<StreamEvent[]> {
  const stream = await client.beta.sessions.events.stream(id);
  await client.beta.sessions.events.send(id, { events: [message(text)] });
  return readUntil(stream, isIdle);
}

describe('a turn', () => {
  test('is sent, streamed and listed by the official client, with one id for each event', async () => {
    const { alice, id } = await start();
    const { events } = alice.beta.sessions;
    const stream = await events.stream(id);
    const { data: sent } = await events.send(id, { events: [message('talk')] });
    expect(sent).toEqual([
      {
        id: expect.stringMatching(/^sevt_/),
        type: 'user.message',
        content: [{ type: 'text', text: 'talk' }],
        processed_at: null,
      },
    ]);
    const seen = await readUntil(stream, isIdle);
    expect(seen.map(({ type }) => type)).toEqual([
      'user.message',
      'session.status_running',
      'span.model_request_start',
      'agent.thinking',
      'agent.message',
      'agent.tool_use',
      'span.model_request_end',
      'agent.tool_result',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
      'session.status_idle',
    ]);
    const listed = await allEvents(alice, id);
    expect(listed.map((event) => event.id)).toEqual(seen.filter(isKept).map((event) => event.id));
    expect(listed[0]?.id).toBe(sent?.[0]?.id);
    const [call] = listed.filter((event) => event.type === 'agent.tool_use');
    expect(call).toMatchObject({ name: 'bash', input: { command: 'ls', timeout_ms: 5_000 } });
    const [result] = listed.filter((event) => event.type === 'agent.tool_result');
    expect(result?.tool_use_id).toBe(call?.id);
    expect(listed.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' }, stop_details: null });
  });

  test('says nothing beyond what the API has words for', async () => {
    const { alice, id } = await start();
    await run(alice, id, 'talk');
    const text = JSON.stringify(await allEvents(alice, id));
    expect(text).not.toContain('let me see');
    expect(text).not.toContain('detail"');
    expect(text).not.toContain('clientId');
  });

  test('shows its texts as they grow, and its thoughts as they begin, to those who ask', async () => {
    const { alice, id } = await start();
    const both = { event_deltas: ['agent.message', 'agent.thinking'] } satisfies EventStreamParams;
    const stream = await alice.beta.sessions.events.stream(id, both);
    const texts = await alice.beta.sessions.events.stream(id, { event_deltas: ['agent.message'] });
    await alice.beta.sessions.events.send(id, { events: [message('talk')] });
    const seen = await readUntil(stream, isIdle);
    expect(seen.map(({ type }) => type).slice(2, 11)).toEqual([
      'span.model_request_start',
      'event_start',
      'agent.thinking',
      'event_start',
      'event_delta',
      'event_delta',
      'event_delta',
      'agent.message',
      'agent.tool_use',
    ]);
    const starts = seen.flatMap((event) => (event.type === 'event_start' ? [event.event] : []));
    const kept = seen.flatMap((event) =>
      event.type === 'agent.message' || event.type === 'agent.thinking' ? [event] : [],
    );
    expect(starts).toEqual(kept.map(({ type, id: eventId }) => ({ type, id: eventId })));
    const deltas = seen.flatMap((event) => (event.type === 'event_delta' ? [event] : []));
    const grown = deltas
      .filter(({ event_id }) => event_id === kept[1]?.id)
      .map(({ delta }) => delta.content.text);
    expect(grown).toEqual(['One', ' two', ' three']);
    const without = await readUntil(texts, isIdle);
    expect(
      without.flatMap((event) => (event.type === 'event_start' ? [event.event.type] : [])),
    ).toEqual(['agent.message', 'agent.message']);
  });
});

describe('what waits', () => {
  test('is not processed until its turn has come', async () => {
    const { alice, id } = await start();
    const { events } = alice.beta.sessions;
    const stream = await events.stream(id);
    await events.send(id, { events: [message('hang')] });
    await readUntil(stream, ({ type }) => type === 'agent.message');
    const content = [{ type: 'text' as const, text: 'Be brief.' }];
    await events.send(id, { events: [message('next'), { type: 'system.message', content }] });
    const times = async (): Promise<unknown[]> =>
      (await allEvents(alice, id)).flatMap((event) =>
        event.type === 'user.message' || event.type === 'system.message'
          ? [event.processed_at]
          : [],
      );
    expect(await times()).toEqual([expect.any(String), null, null]);
    const late = await events.stream(id, from(1));
    const replayed = await readUntil(late, ({ type }) => type === 'system.message');
    expect(replayed.at(-1)).toMatchObject({ processed_at: null });
    expect(replayed[0]).toMatchObject({ type: 'user.message', processed_at: expect.any(String) });

    const idle = await events.stream(id);
    await events.send(id, { events: [{ type: 'user.interrupt' }] });
    await readUntil(idle, ({ type }) => type === 'agent.message');
    const [, second, third] = await times();
    expect(second).toEqual(expect.any(String));
    expect(third).toBe(second);
  });
});

/** Ours beside the API's: where a stream begins. */
function from(number: number): EventStreamParams {
  const params: EventStreamParams & { roundhouse_from: number } = { roundhouse_from: number };
  return params;
}

describe('an interrupt', () => {
  test.each<[string, ScriptedTurn | undefined, (event: StreamEvent) => boolean]>([
    [
      'before the agent has taken the message',
      NEVER_TAKEN,
      ({ type }) => type === 'session.status_running',
    ],
    [
      'before the first word',
      { steps: [{ hang: true }] },
      ({ type }) => type === 'span.model_request_start',
    ],
    ['in the middle of a text', HANGS, ({ type }) => type === 'agent.message'],
    [
      'while a tool runs',
      { steps: [{ tool: 'Bash', output: '', runMs: 3_600_000 }] },
      ({ type }) => type === 'agent.tool_use',
    ],
    ['while it waits for leave', { steps: [{ ask: 'Write' }] }, isIdle],
    [
      'while a request is made again',
      { steps: [{ retryInMs: 3_600_000, status: 529 }] },
      ({ type }) => type === 'session.status_rescheduled',
    ],
  ])('%s ends with an idle session, and the next message works', async (_when, turn, isThere) => {
    const { alice, id } = await start(turn && { phase: turn });
    const { events } = alice.beta.sessions;
    const stream = await events.stream(id, { event_deltas: ['agent.message'] });
    const reading = stream[Symbol.asyncIterator]();
    const next = async (isLast: (event: StreamEvent) => boolean): Promise<StreamEvent> => {
      for (;;) {
        const { value, done } = await reading.next();
        if (done === true || value === undefined) throw new Error('The stream ended.');
        if (isLast(value)) return value;
      }
    };
    await events.send(id, { events: [message('phase')] });
    await next(isThere);
    const { data } = await events.send(id, { events: [{ type: 'user.interrupt' }] });
    expect(data?.[0]).toMatchObject({ type: 'user.interrupt', processed_at: expect.any(String) });
    expect(await next(isIdle)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    await events.send(id, { events: [message('hello')] });
    expect(await next(({ type }) => type === 'agent.message')).toMatchObject({
      content: [{ type: 'text', text: expect.stringContaining('You said: hello.') }],
    });
    await next(isIdle);
  });

  test('of a message that still waits for its process ends with an idle session too', async () => {
    const { alice, id } = await start();
    const { events } = alice.beta.sessions;
    const stream = await events.stream(id);
    await events.send(id, { events: [message('one'), { type: 'user.interrupt' }] });
    const seen = await readUntil(stream, isIdle);
    expect(seen.some(({ type }) => type === 'agent.message')).toBe(false);
    expect((await run(alice, id, 'two')).map(({ type }) => type)).toContain('agent.message');
  });

  test('of nothing is an event and nothing more', async () => {
    const { alice, id } = await start();
    await alice.beta.sessions.events.send(id, { events: [{ type: 'user.interrupt' }] });
    expect((await allEvents(alice, id)).map(({ type }) => type)).toEqual(['user.interrupt']);
  });

  test('ahead of a message in one request stops what runs, and the message runs', async () => {
    const { alice, id } = await start();
    const { events } = alice.beta.sessions;
    const stream = await events.stream(id);
    await events.send(id, { events: [message('hang')] });
    await readUntil(stream, ({ type }) => type === 'agent.message');
    const after = await events.stream(id);
    await events.send(id, { events: [{ type: 'user.interrupt' }, message('now')] });
    const seen = await readUntil(after, ({ type }) => type === 'agent.message');
    expect(seen.map(({ type }) => type)).toEqual([
      'user.interrupt',
      'user.message',
      'span.model_request_end',
      'session.status_idle',
      'session.status_running',
      'span.model_request_start',
      'agent.message',
    ]);
  });
});

describe('a call that waits for leave', () => {
  const asks: ScriptedTurn = {
    steps: [{ asks: [{ tool: 'Write' }, { tool: 'Edit' }] }, { text: ['done'] }],
  };

  test('is told, answered in any order, and the turn goes on when no answer is missing', async () => {
    const { alice, id } = await start({ write: asks });
    const { events } = alice.beta.sessions;
    const stream = await events.stream(id);
    await events.send(id, { events: [message('write')] });
    const seen = await readUntil(stream, isIdle);
    const calls = seen.flatMap((event) => (event.type === 'agent.tool_use' ? [event] : []));
    expect(calls.map(({ name }) => name)).toEqual(['write', 'edit']);
    const [first = '', second = ''] = calls.map((call) => call.id);
    expect(seen.at(-1)).toMatchObject({
      stop_reason: { type: 'requires_action', event_ids: [first, second] },
    });
    const rest = await events.stream(id);
    const { data } = await events.send(id, {
      events: [
        { type: 'user.tool_confirmation', tool_use_id: second, result: 'deny', deny_message: 'no' },
      ],
    });
    expect(data).toEqual([
      {
        id: expect.stringMatching(/^sevt_/),
        type: 'user.tool_confirmation',
        tool_use_id: second,
        result: 'deny',
        deny_message: 'no',
        processed_at: expect.any(String),
      },
    ]);
    const next = await events.stream(id);
    await readUntil(rest, isIdle);
    await events.send(id, {
      events: [{ type: 'user.tool_confirmation', tool_use_id: first, result: 'allow' }],
    });
    const end = await readUntil(next, isIdle);
    expect(end.at(-1)).toMatchObject({ stop_reason: { type: 'end_turn' } });
    const results = end.flatMap((event) =>
      event.type === 'agent.tool_result' ? [[event.tool_use_id, event.is_error]] : [],
    );
    expect(results).toEqual([
      [first, false],
      [second, true],
    ]);
  });

  test('is not answered where one of the answers of a request is to nothing', async () => {
    const { alice, id } = await start({ write: asks });
    const { events } = alice.beta.sessions;
    const stream = await events.stream(id);
    await events.send(id, { events: [message('write')] });
    const idle = (await readUntil(stream, isIdle)).at(-1);
    const reason = idle?.type === 'session.status_idle' ? idle.stop_reason : undefined;
    const [call = ''] = reason?.type === 'requires_action' ? reason.event_ids : [];
    const before = (await allEvents(alice, id)).length;
    const sent = events.send(id, { events: [message('more'), answer(call), answer('sevt_none')] });
    await expect(sent).rejects.toThrow('"events.2: sevt_none is no call that waits; ');
    expect(await allEvents(alice, id)).toHaveLength(before);
    const twice = events.send(id, { events: [answer(call), answer(call)] });
    await expect(twice).rejects.toThrow(`"events.1: ${call} is answered already; `);
    const allowed = { ...answer(call), deny_message: 'no' };
    await expect(events.send(id, { events: [allowed] })).rejects.toBeInstanceOf(BadRequestError);
  });
});

describe('a request', () => {
  test('is kept whole or not at all', async () => {
    const { alice, id } = await start();
    const events = [message('one'), { type: 'user.interrupt' as const }, message(' ')];
    const error = await failure(alice.beta.sessions.events.send(id, { events }), BadRequestError);
    expect(error.message).toContain('events.2.content.0.text');
    expect(await allEvents(alice, id)).toEqual([]);
  });

  test.each<[string, unknown, string, string]>([
    ['a type that is none', [{ type: 'user.shout' }], 'invalid_request', 'events.0'],
    ['no event', [], 'invalid_request', 'events'],
    ['a field that is none', [{ ...message('a'), loud: true }], 'invalid_request', 'events.0.loud'],
    [
      'the result of a tool of the toolset',
      [{ type: 'user.tool_result', tool_use_id: 'sevt_1' }],
      'unsupported_field',
      'self_hosted',
    ],
    [
      'an outcome',
      [{ type: 'user.define_outcome', description: 'a', rubric: { type: 'text', content: 'b' } }],
      'unsupported_field',
      'events.0',
    ],
    [
      'an answer that nothing waits for',
      [message('a'), answer('sevt_none')],
      'invalid_request',
      'events.1: session sesn_',
    ],
    [
      'a thread',
      [{ type: 'user.interrupt', session_thread_id: 'sthr_1' }],
      'unsupported_field',
      'events.0.session_thread_id',
    ],
    [
      'a file that is named by more than its id',
      [
        {
          type: 'user.message',
          content: [{ type: 'image', source: { type: 'file', file_id: 'f', media_type: 'a/b' } }],
        },
      ],
      'invalid_request',
      'events.0.content.0.source',
    ],
    [
      'an image of a type that no model takes',
      [
        {
          type: 'user.message',
          content: [
            { type: 'image', source: { type: 'base64', media_type: 'image/tiff', data: 'AAAA' } },
          ],
        },
      ],
      'invalid_request',
      'events.0.content.0.source.media_type',
    ],
    [
      'a system message of its own',
      [{ type: 'system.message', content: [{ type: 'text', text: 'a' }] }],
      'invalid_request',
      'right behind a user.message',
    ],
    [
      'a system message with something behind it',
      [
        message('a'),
        { type: 'system.message', content: [{ type: 'text', text: 'a' }] },
        message('b'),
      ],
      'invalid_request',
      'events.1',
    ],
  ])('with %s is refused by name', async (_what, events, code, named) => {
    const server = await start();
    const { status, body } = await server.post(`/v1/sessions/${server.id}/events`, { events });
    expect(status).toBe(400);
    expect(body).toMatchObject({
      error: { details: { error_code: code }, message: expect.stringContaining(named) },
    });
  });

  test('under a key is done once, however often it is sent', async () => {
    const { alice, id } = await start();
    const send = (text: string, key: string) =>
      alice.beta.sessions.events.send(
        id,
        { events: [message(text)] },
        { headers: { 'Idempotency-Key': key } },
      );
    const key = randomUUID();
    const [first, second] = await Promise.all([send('one', key), send('one', key)]);
    expect(second).toEqual(first);
    await run(alice, id, 'two');
    expect(await send('one', key)).toEqual(first);
    const error = await failure(send('other', key), ConflictError);
    expect(error.message).toContain(key);
    const prompts = (await allEvents(alice, id)).filter(({ type }) => type === 'user.message');
    expect(prompts).toHaveLength(2);
    for (const bad of ['', 'x'.repeat(256), 'a\u0080'])
      await failure(send('three', bad), BadRequestError);
  });

  test('to a session of another key finds nothing', async () => {
    const { alice, bob, id } = await start();
    await run(alice, id, 'one');
    const { events } = bob.beta.sessions;
    await expect(events.send(id, { events: [message('two')] })).rejects.toBeInstanceOf(
      NotFoundError,
    );
    await failure(
      events.stream(id).then(() => undefined),
      NotFoundError,
    );
    await expect(allEvents(bob, id)).rejects.toBeInstanceOf(NotFoundError);
    await expect(allEvents(alice, 'sesn_none')).rejects.toBeInstanceOf(NotFoundError);
  });
});

describe('a list', () => {
  test('comes in pages, either way, by type and by time', async () => {
    const { alice, id } = await start();
    await run(alice, id, 'talk');
    await run(alice, id, 'two');
    const { events } = alice.beta.sessions;
    const all = await allEvents(alice, id);
    expect(await allEvents(alice, id, 3)).toEqual(all);
    const reversed: SessionEvent[] = [];
    for await (const event of events.list(id, { limit: 4, order: 'desc' })) reversed.push(event);
    expect(reversed.toReversed()).toEqual(all);
    const typed = await events.list(id, { types: ['agent.message', 'user.message'] });
    expect(typed.data.map(({ type }) => type)).toEqual([
      'user.message',
      'agent.message',
      'agent.message',
      'user.message',
      'agent.message',
    ]);
    const now = new Date(Date.now() + 1_000).toISOString();
    expect((await events.list(id, { 'created_at[gt]': now })).data).toEqual([]);
    expect((await events.list(id, { 'created_at[lt]': now })).data).toEqual(all);
  });

  test('refuses what it can not read', async () => {
    const { alice, id } = await start();
    await run(alice, id, 'talk');
    const { events } = alice.beta.sessions;
    const { next_page: page } = await events.list(id, { limit: 1 });
    await expect(events.list(id, { page, order: 'desc' })).rejects.toBeInstanceOf(BadRequestError);
    await expect(events.list(id, { page: 'x' })).rejects.toBeInstanceOf(BadRequestError);
    await expect(events.list(id, { limit: 1_001 })).rejects.toBeInstanceOf(BadRequestError);
  });
});

describe('readers', () => {
  test('who are slow, come late, or come and go end with the same events, none twice', async () => {
    const { alice, url, id } = await start();
    const { events } = alice.beta.sessions;
    const deltas = {
      event_deltas: ['agent.message', 'agent.thinking'],
    } satisfies EventStreamParams;
    const live = await events.stream(id, deltas);
    const slow = await events.stream(id, deltas);
    const raw = await SseReader.open(
      `${url}/v1/sessions/${id}/events/stream?event_deltas[]=agent.message`,
      { headers: { 'x-api-key': 'key-a' } },
    );
    const turns = 12;
    let idles = 0;
    const isLast = (event: StreamEvent): boolean => isIdle(event) && ++idles === turns;
    const reading = readUntil(live, isLast);
    const lastId = Promise.withResolvers<string>();
    const comesAndGoes = (async (): Promise<string[]> => {
      const seen: string[] = [];
      for (let visit = 0; visit <= 20; visit += 1) {
        const last = seen.at(-1);
        const options = last === undefined ? {} : { headers: { 'Last-Event-ID': last } };
        const stream = await events.stream(id, last === undefined ? from(1) : deltas, options);
        let taken = 0;
        for await (const event of stream) {
          if (!isKept(event)) continue;
          seen.push(event.id);
          taken += 1;
          if (visit < 20 && taken === 5) break;
          if (visit === 20 && event.id === (await lastId.promise)) return seen;
        }
      }
      throw new Error('It never saw the last event.');
    })();
    for (let turn = 0; turn < turns; turn += 1) {
      const next = await events.stream(id);
      await events.send(id, { events: [message('talk')] });
      await readUntil(next, isIdle);
    }
    const expected = (await allEvents(alice, id)).map((event) => event.id);
    expect(expected).toHaveLength(turns * 12);
    lastId.resolve(expected.at(-1) ?? '');

    const seen = await reading;
    expect(seen.filter(isKept).map((event) => event.id)).toEqual(expected);
    // It has taken nothing so far.
    const last = (event: StreamEvent): boolean => isKept(event) && event.id === expected.at(-1);
    const slowly = await readUntil(slow, last);
    expect(slowly.filter(isKept).map((event) => event.id)).toEqual(expected);
    expect(await comesAndGoes).toEqual(expected);
    const late = await readUntil(await events.stream(id, from(1)), last);
    expect(late.filter(isKept).map((event) => event.id)).toEqual(expected);

    for await (const event of raw) if (event.id === expected.at(-1)) break;
    const ids = raw.seen.flatMap((event) => event.id ?? []);
    expect(ids).toEqual(expected);
    expect(breaches(seen)).toEqual([]);
    expect(breaches(slowly)).toEqual([]);
  });

  test('who return with an event that is not there are told so', async () => {
    const { alice, id } = await start();
    const error = await failure(
      alice.beta.sessions.events
        .stream(id, {}, { headers: { 'Last-Event-ID': 'sevt_none' } })
        .then(() => undefined),
      BadRequestError,
    );
    expect(error.message).toContain('sevt_none');
  });

  test('see the end of a deleted session', async () => {
    const { alice, id } = await start();
    const stream = await alice.beta.sessions.events.stream(id);
    await alice.beta.sessions.delete(id);
    const seen = await readUntil(stream, ({ type }) => type === 'session.deleted');
    expect(seen).toHaveLength(1);
  });

  test('are told why when the server goes', async () => {
    const { alice, id, fixture } = await start();
    const stream = await alice.beta.sessions.events.stream(id);
    const reading = readUntil(stream, () => false);
    await run(alice, id, 'one');
    await fixture.pool.close();
    const error = await failure(reading, APIError);
    expect(error.error).toMatchObject({ error: { details: { error_code: 'draining' } } });
  });

  test('outlive the process of the session', async () => {
    const { alice, id, fixture } = await start();
    const stream = await alice.beta.sessions.events.stream(id);
    let idles = 0;
    const reading = readUntil(stream, (event) => isIdle(event) && ++idles === 2);
    await run(alice, id, 'one');
    const [process] = fixture.driver.alive;
    process?.die();
    await run(alice, id, 'two');
    const seen = await reading;
    expect(seen.map(({ type }) => type).filter((type) => type === 'agent.message')).toHaveLength(2);
  });
});

/** What breaks the rules that the SDK's types state for previews. */
function breaches(events: readonly StreamEvent[]): StreamEvent[] {
  const open = new Set<string>();
  const done = new Set<string>();
  const broken = events.filter((event) => {
    if (event.type === 'event_start') {
      const again = open.has(event.event.id) || done.has(event.event.id);
      open.add(event.event.id);
      return again;
    }
    if (event.type === 'event_delta') return !open.has(event.event_id);
    const twice = done.has(event.id);
    done.add(event.id);
    open.delete(event.id);
    if (event.type === 'span.model_request_end') open.clear();
    return twice;
  });
  const left = events.filter((event) => event.type === 'event_start' && open.has(event.event.id));
  return [...broken, ...left];
}
