import type Anthropic from '@anthropic-ai/sdk';
import { APIError, AuthenticationError, BadRequestError, NotFoundError } from '@anthropic-ai/sdk';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';

import { hashKey } from '../../src/http/auth.ts';
import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { askServer, officialClient, prompt, textOf } from '../support/official-client.ts';
import { startRecordingProxy, type RecordingProxy } from '../support/recording-proxy.ts';
import { ServerFixture } from '../support/server-fixture.ts';
import { sessionRecords } from '../support/session-events.ts';

/** A PNG of one red pixel. */
const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';

let simulator: Simulator;
let upstream: RecordingProxy;
let server: ServerFixture;

beforeAll(async () => {
  simulator = await startSimulator();
  upstream = await startRecordingProxy(simulator.url);
  server = await ServerFixture.start({
    upstream,
    env: { ROUNDHOUSE_AGENT_MAX_RETRIES: '1' },
  });
});

afterAll(async () => {
  await server?.end();
  await upstream?.close();
  await simulator?.close();
});

/** What the simulator was sent for a prompt. */
function requestsFor(text: string) {
  return simulator.requests.filter((request) => request.prompt === text);
}

describe('a named session', () => {
  test('answers messages.create and keeps the context over turns, whichever way it is named', async () => {
    const byHeader = officialClient(server.url, { session: 'ada' });
    const first = await byHeader.messages.create(prompt('My name is Ada.'));
    expect(textOf(first)).toBe('You said: "My name is Ada.". I was shown no earlier messages.');
    expect(first).toMatchObject({ role: 'assistant', stop_reason: 'end_turn', type: 'message' });
    expect(first.usage.input_tokens).toBeGreaterThan(0);
    expect(first.usage.output_tokens).toBeGreaterThan(0);

    const byPath = officialClient(`${server.url}/sessions/ada`);
    expect(textOf(await byPath.messages.create(prompt('two')))).toBe(
      'You said: "two". I was shown 2 earlier messages; your earlier prompt was: "My name is Ada.".',
    );

    const byMetadata = officialClient(server.url);
    const metadata: Anthropic.Metadata & { session_id: string } = { session_id: 'ada' };
    const third = await byMetadata.messages.create(prompt('three', { metadata }));
    expect(textOf(third)).toContain('4 earlier messages');
    expect(textOf(third)).toContain('"My name is Ada.", "two"');
  });

  test('answers messages.stream with the events of the API in order, the whole message and its usage', async () => {
    const client = officialClient(server.url, { session: 'stream' });
    const stream = client.messages.stream(prompt('[[tokens 20]]'));
    const types: string[] = [];
    const texts: string[] = [];
    stream.on('streamEvent', (event) => types.push(event.type));
    stream.on('text', (text) => texts.push(text));
    const message = await stream.finalMessage();

    expect(types.filter((type) => type !== 'content_block_delta')).toEqual([
      'message_start',
      'content_block_start',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(texts).toHaveLength(20);
    expect(textOf(message)).toBe(texts.join(''));
    expect(message.usage.output_tokens).toBe(20);
    expect(message.stop_reason).toBe('end_turn');
  });

  test('keeps its history when the client sends one along, and says that it was ignored', async () => {
    await askServer(server.url, 'own-history', 'first');
    const client = officialClient(server.url, { session: 'own-history' });
    const { data, response } = await client.messages
      .create({
        ...prompt(''),
        messages: [
          { role: 'user', content: 'never said' },
          { role: 'assistant', content: 'never answered' },
          { role: 'user', content: 'second' },
        ],
      })
      .withResponse();
    expect(textOf(data)).toContain('your earlier prompt was: "first"');
    expect(response.headers.get('x-roundhouse-ignored')).toContain('messages[0..1]');
    expect(response.headers.get('x-roundhouse-ignored')).toContain('max_tokens');
  });

  test('takes the model of each turn, in the same process', async () => {
    const client = officialClient(server.url, { session: 'models' });
    const answers = [];
    for (const [text, model] of [
      ['by sonnet', 'claude-sonnet-5-5'],
      ['by haiku', 'claude-haiku-4-5'],
      ['by sonnet again', 'claude-sonnet-5-5'],
    ] as const) {
      answers.push((await client.messages.create(prompt(text, { model }))).model);
    }
    expect(answers).toEqual(['claude-sonnet-5-5', 'claude-haiku-4-5', 'claude-sonnet-5-5']);
    expect(requestsFor('by haiku').map(({ model }) => model)).toEqual(['claude-haiku-4-5']);
    const clients = (await sessionRecords(server.url, 'models')).flatMap(
      ({ detail }) => detail['clientId'] ?? [],
    );
    expect(new Set(clients).size).toBe(1);
  });

  test('is sent the system prompt of a request, also when it changes on a live session', async () => {
    const client = officialClient(server.url, { session: 'system' });
    await client.messages.create(prompt('as a pirate', { system: 'You are the pirate Redbeard.' }));
    const answer = await client.messages.create(
      prompt('as a monk', { system: [{ type: 'text', text: 'You are the monk Anselm.' }] }),
    );
    expect(textOf(answer)).toContain('your earlier prompt was: "as a pirate"');
    const bodyOf = (text: string): string =>
      upstream.bodies.findLast((body) => body.includes(text)) ?? '';
    expect(bodyOf('as a monk')).toContain('the monk Anselm');
    expect(bodyOf('as a monk')).not.toContain('Redbeard');
    expect(upstream.bodies.find((body) => body.includes('as a pirate'))).toContain('Redbeard');
  });

  test('is shown images and documents', async () => {
    const answer = await officialClient(server.url, { session: 'images' }).messages.create(
      prompt([
        { type: 'text', text: 'Look at this.' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PIXEL } },
        {
          type: 'document',
          source: { type: 'text', media_type: 'text/plain', data: 'The minutes of the meeting.' },
        },
      ]),
    );
    expect(textOf(answer)).toContain('You said: "Look at this." and 1 image and 1 document.');
    expect(upstream.bodies.at(-1)).toContain('The minutes of the meeting.');
  });

  test('shows thinking with its signature when thinking is on, and not otherwise', async () => {
    const client = officialClient(server.url, { session: 'thinking' });
    const shown = await client.messages.create(
      prompt('[[think about trains]] [[say thought]]', {
        thinking: { type: 'enabled', budget_tokens: 1024 },
      }),
    );
    expect(shown.content).toMatchObject([
      {
        type: 'thinking',
        thinking: expect.stringMatching(/./),
        signature: expect.stringMatching(/./),
      },
      { type: 'text', text: 'thought' },
    ]);
    const hidden = await client.messages.create(prompt('[[think about it]] [[say hidden]]'));
    expect(hidden.content).toMatchObject([{ type: 'text', text: 'hidden' }]);
  });
});

describe('a turn in which the agent uses a tool', () => {
  const text = '[[tool Bash {"command":"echo from-the-shell"}]]';

  test.each([
    ['hide', ['text']],
    ['blocks', ['mcp_tool_use', 'mcp_tool_result', 'text']],
    ['text', ['text', 'text', 'text']],
  ] as const)(
    'gives the complete final answer with x-agent-events: %s, streamed and not',
    async (mode, types) => {
      const client = officialClient(server.url, {
        session: `tools-${mode}`,
        headers: { 'x-agent-events': mode },
      });
      const whole = await client.messages.create(prompt(text));
      const stream = client.messages.stream(prompt(text));
      const indices: number[] = [];
      stream.on('streamEvent', (event) => {
        if (event.type === 'content_block_start') indices.push(event.index);
      });
      const streamed = await stream.finalMessage();
      for (const message of [whole, streamed]) {
        expect(message.content.map(({ type }): string => type)).toEqual(types);
        expect(message.content.at(-1)).toMatchObject({ text: 'Bash returned: from-the-shell' });
        expect(message.stop_reason).toBe('end_turn');
      }
      expect(indices).toEqual(streamed.content.map((_, index) => index));
    },
  );
});

describe('a one-shot call', () => {
  test('is shown the history that it brings, and leaves nothing behind', async () => {
    const fresh = await ServerFixture.start({ upstream: simulator });
    onTestFinished(() => fresh.end());
    const client = officialClient(fresh.url);
    const answer = await client.messages.create({
      ...prompt(''),
      messages: [
        { role: 'user', content: 'My name is Ada.' },
        { role: 'assistant', content: 'Hello Ada.' },
        { role: 'user', content: 'I live in Turin.' },
        { role: 'assistant', content: 'How nice.' },
        { role: 'user', content: 'Who am I?' },
      ],
    });
    expect(textOf(answer)).toBe(
      'You said: "Who am I?". I was shown 4 earlier messages; your earlier prompts were: "My name is Ada.", "I live in Turin.".',
    );
    const streamed = await client.messages.stream(prompt('streamed')).finalMessage();
    expect(textOf(streamed)).toBe('You said: "streamed". I was shown no earlier messages.');

    // Both are taken away after their answers.
    await vi.waitFor(
      async () => {
        expect(await fresh.folders()).toEqual([]);
        expect(fresh.rows()).toEqual({
          sessions: 0,
          events: 0,
          open_turns: 0,
          transcript_entries: 0,
        });
      },
      { timeout: 5_000 },
    );
    expect(fresh.agentsAlive()).toBe(0);
    const sessions: unknown = await (await fetch(`${fresh.url}/sessions`)).json();
    expect(sessions).toEqual({ data: [], next: null });
    expect(fresh.log.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual(
      [],
    );
  });
});

describe('what goes wrong', () => {
  test('is one of the client’s own error classes, with the request id', async () => {
    const client = officialClient(server.url, { session: 'errors' });
    const notFound = await failureOf(client.messages.create(prompt('x', { model: 'gpt-4' })));
    expect(notFound).toBeInstanceOf(NotFoundError);
    const badRequest = await failureOf(client.post('/v1/messages', { body: { messages: 'x' } }));
    expect(badRequest).toBeInstanceOf(BadRequestError);
    const refused = await failureOf(
      client.messages.create({ ...prompt('x'), stop_sequences: ['.'] }),
    );
    expect(refused).toBeInstanceOf(BadRequestError);
    for (const error of [notFound, badRequest, refused])
      expect(error).toMatchObject({ requestID: expect.stringMatching(/^req_/) });
  });

  test('is an authentication error for a wrong key, and a session is its own key’s only', async () => {
    const keys = { ada: 'rh_ada', ben: 'rh_ben' };
    const entries = Object.entries(keys).map(
      ([id, key]) => `    - { id: ${id}, hash: '${hashKey(key)}' }`,
    );
    const locked = await ServerFixture.start({
      upstream: simulator,
      config: `server:\n  keys:\n${entries.join('\n')}\n`,
    });
    onTestFinished(() => locked.end());
    const wrong = officialClient(locked.url, { session: 'hers', key: 'rh_eve' });
    expect(await failureOf(wrong.messages.create(prompt('x')))).toBeInstanceOf(AuthenticationError);
    const ada = officialClient(locked.url, { session: 'hers', key: keys.ada });
    await ada.messages.create(prompt('the secret of ada'));
    const ben = officialClient(locked.url, { session: 'hers', key: keys.ben });
    expect(textOf(await ben.messages.create(prompt('and I')))).toContain('no earlier messages');
    const listed = await fetch(`${locked.url}/sessions/hers/events`, {
      headers: { 'x-api-key': keys.ben },
    });
    const text = await listed.text();
    expect(text).toContain('and I');
    expect(text).not.toContain('the secret of ada');
  });

  test('is tried again by the client after a 503, when Retry-After says so', async () => {
    const small = await ServerFixture.start({
      upstream: simulator,
      args: ['--max-processes', '1'],
      env: { ROUNDHOUSE_POOL_MAX_WAITERS: '0' },
    });
    onTestFinished(() => small.end());
    const busy = officialClient(small.url, { session: 'busy' }).messages.stream(
      prompt('[[stall text]] takes the only slot'),
    );
    const ended = failureOf(busy.finalMessage());
    await simulator.waitForRequest(({ prompt: said }) => said?.includes('the only slot') === true);
    const patient = officialClient(small.url, { session: 'patient', maxRetries: 4 });
    const answer = patient.messages.create(prompt('may I'));
    await small.log.waitForEvent('http_request', { status: 503 });
    await fetch(`${small.url}/sessions/busy/interrupt`, { method: 'POST' });
    expect(textOf(await answer)).toContain('You said: "may I"');
    expect(await ended).toBeInstanceOf(APIError);
  });

  test('is an authentication error within 5 s when the upstream refuses the server’s key', async () => {
    const strict = await startSimulator({ apiKey: 'right' });
    const wrong = await ServerFixture.start({ upstream: { url: strict.url, key: 'wrong' } });
    onTestFinished(async () => {
      await wrong.end();
      await strict.close();
    });
    const sinceMs = monotonicMs();
    const client = officialClient(wrong.url, { session: 'refused', maxRetries: 2 });
    const error = await failureOf(client.messages.create(prompt('x')));
    expect(error).toBeInstanceOf(AuthenticationError);
    expect(monotonicMs() - sinceMs).toBeLessThan(5_000);
    const streamed = await failureOf(client.messages.stream(prompt('y')).finalMessage());
    expect(streamed).toBeInstanceOf(AuthenticationError);
    expect(String(error)).not.toContain('wrong');
  });

  test('has the upstream’s status after its retries are used up, and the session goes on', async () => {
    const client = officialClient(server.url, { session: 'overloaded', maxRetries: 2 });
    const error = await failureOf(client.messages.create(prompt('[[error 529]]')));
    expect(error).toMatchObject({ status: 529, type: 'overloaded_error' });
    expect(requestsFor('[[error 529]]')).toHaveLength(2);
    expect(textOf(await client.messages.create(prompt('still there')))).toContain('still there');
  });

  test('stays out of the way of what can be retried: an answer that was cut off comes whole', async () => {
    const client = officialClient(server.url, { session: 'cut' });
    const message = await client.messages
      .stream(prompt('[[cut times 1]] [[long 20 words]] cut'))
      .finalMessage();
    expect(textOf(message).split(' ')).toHaveLength(20);
  });
});

test('the API of sessions shows, lists and deletes what the official client has made', async () => {
  await askServer(server.url, 'shown', '[[tool Bash {"command":"pwd"}]]');
  const info: unknown = await (await fetch(`${server.url}/sessions/shown`)).json();
  expect(info).toMatchObject({ name: 'shown', status: 'idle', turnCount: 1, queuedTurns: 0 });
  const deleted = await fetch(`${server.url}/sessions/shown`, { method: 'DELETE' });
  expect(deleted.status).toBe(200);
  expect((await fetch(`${server.url}/sessions/shown`)).status).toBe(404);
  const names: unknown = await (await fetch(`${server.url}/sessions?limit=1000`)).json();
  expect(JSON.stringify(names)).not.toContain('"shown"');
  expect(await askServer(server.url, 'shown', 'again')).toContain('no earlier messages');
});

async function failureOf(work: PromiseLike<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('Expected a failure.');
}
