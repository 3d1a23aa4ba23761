import { request as httpRequest } from 'node:http';
import Anthropic, {
  APIError,
  AuthenticationError,
  BadRequestError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from '@anthropic-ai/sdk';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startSimulator } from './simulator.ts';
import type { Simulator, SimulatorOptions } from './simulator.ts';

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.close());

/** Starts the simulator again with other options. */
async function restart(options: SimulatorOptions): Promise<void> {
  await simulator.close();
  simulator = await startSimulator(options);
}

/** The official client, without retries of its own. */
function client(options: { apiKey?: string } = {}): Anthropic {
  return new Anthropic({ baseURL: simulator.url, apiKey: 'any', maxRetries: 0, ...options });
}

function ask(prompt: string): { model: string; max_tokens: number; messages: [UserMessage] } {
  return {
    model: 'claude-opus-5-5',
    max_tokens: 1000,
    messages: [{ role: 'user', content: prompt }],
  };
}
interface UserMessage {
  role: 'user';
  content: string;
}

function post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return fetch(`${simulator.url}${path}`, { method: 'POST', body: text, ...init });
}

/** What the promise rejects with; handled from now on, so it may reject while something else is awaited. */
function failureOf(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

/** The events of a streamed answer, as they stood on the wire. */
async function eventsOf(
  prompt: string,
): Promise<{ event: string; data: Record<string, unknown> }[]> {
  const response = await post('/v1/messages?beta=true', { ...ask(prompt), stream: true });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const frames = (await response.text()).split('\n\n').filter((frame) => frame !== '');
  return frames.map((frame) => {
    const [, event = '', data = ''] = frame.match(/^event: (.*)\ndata: (.*)$/) ?? [];
    return { event, data: JSON.parse(data) };
  });
}

/** Reads an answer until its text holds `awaited`, then leaves. Returns what came. */
async function readUntil(prompt: string, awaited: string): Promise<string> {
  const leave = new AbortController();
  const body = { ...ask(prompt), stream: true };
  const response = await post('/v1/messages', body, { signal: leave.signal });
  let text = '';
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    if (text.includes(awaited)) break;
  }
  leave.abort();
  return text;
}

describe('a streamed answer', () => {
  test('has the events of the API in its order', async () => {
    const events = await eventsOf('[[say one two]]');
    expect(events.map(({ event }) => event)).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    for (const { event, data } of events) expect(data['type']).toBe(event);
    expect(events[0]?.data).toMatchObject({
      message: { role: 'assistant', stop_reason: null, usage: { cache_read_input_tokens: 0 } },
    });
    expect(events[6]?.data).toMatchObject({
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: 2 },
    });
  });

  test('is put together by the official client', async () => {
    const prompt =
      '[[think about it]] [[say déjà 👋 vu]] [[tool Bash {"command":"echo 👋👋 déjà"}]]';
    const message = await client().messages.stream(ask(prompt)).finalMessage();
    expect(message).toMatchObject({
      id: expect.stringMatching(/^msg_sim_/),
      stop_reason: 'tool_use',
      content: [
        { type: 'thinking', signature: expect.stringMatching(/.+/) },
        { type: 'text', text: 'déjà 👋 vu' },
        {
          type: 'tool_use',
          id: expect.stringMatching(/^toolu_sim_/),
          name: 'Bash',
          input: { command: 'echo 👋👋 déjà' },
        },
      ],
    });
  });

  test('says the same as one that is not streamed', async () => {
    const prompt = '[[think]] hello [[tool A {"b":1}]] [[usage in 1 out 2 cache-read 3]]';
    const streamed = await client().messages.stream(ask(prompt)).finalMessage();
    simulator.reset();
    const whole = await client().messages.create(ask(prompt));
    expect(whole.content.map(({ type }) => type)).toEqual(streamed.content.map(({ type }) => type));
    expect(whole.usage).toMatchObject({
      input_tokens: 1,
      output_tokens: 2,
      cache_read_input_tokens: 3,
    });
    expect(streamed.usage).toEqual(whole.usage);
  });

  test('refuses with its stop reason and details', async () => {
    const message = await client().messages.stream(ask('[[refusal]]')).finalMessage();
    expect(message).toMatchObject({ stop_reason: 'refusal', stop_details: { type: 'refusal' } });
  });

  test('of 20,000 pieces is 20,000 events, and quick', async () => {
    const startedAt = performance.now();
    const response = await post('/v1/messages', { ...ask('[[tokens 20000]]'), stream: true });
    const text = await response.text();
    // 0.05 s on an idle machine; the limit only tells quick from slow on a busy one
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(text.match(/^event: content_block_delta$/gm)).toHaveLength(20_000);
  });
});

describe('ids', () => {
  test('are the same for the same request to a fresh simulator, and new for a retry', async () => {
    const first = await client().messages.create(ask('[[tool A]]'));
    const retry = await client().messages.create(ask('[[tool A]]'));
    expect(retry.id).not.toBe(first.id);
    expect(retry.content[0]).not.toEqual(first.content[0]);
    simulator.reset();
    expect(await client().messages.create(ask('[[tool A]]'))).toEqual(first);
  });
});

describe('failures', () => {
  test.each([
    [400, BadRequestError, 'invalid_request_error'],
    [401, AuthenticationError, 'authentication_error'],
    [403, PermissionDeniedError, 'permission_error'],
    [404, NotFoundError, 'not_found_error'],
    [429, RateLimitError, 'rate_limit_error'],
    [500, InternalServerError, 'api_error'],
    [529, APIError, 'overloaded_error'],
    [418, APIError, 'invalid_request_error'],
    [599, APIError, 'api_error'],
  ])('error %i is what the official client expects', async (status, type, errorType) => {
    const failed = client().messages.create({ ...ask(`[[error ${status}]]`), stream: true });
    await expect(failed).rejects.toBeInstanceOf(type);
    await expect(failed).rejects.toMatchObject({
      status,
      type: errorType,
      requestID: expect.stringMatching(/^req_sim_/),
    });
  });

  test('a limited number of errors is followed by the answer, for each prompt anew', async () => {
    const statuses: number[] = [];
    for (const prompt of ['[[error 529 times 2]] a', '[[error 503 times 1]] b']) {
      for (let at = 0; at < 3; at += 1) {
        statuses.push((await post('/v1/messages', ask(prompt))).status);
      }
    }
    expect(statuses).toEqual([529, 529, 200, 503, 200, 200]);
  });

  test('an error says when to come again', async () => {
    const response = await post('/v1/messages', ask('[[error 429 retry-after 7]]'));
    expect(response.headers.get('retry-after')).toBe('7');
  });

  test('an error in the middle of a stream comes after some text', async () => {
    const stream = client().messages.stream(ask('[[overloaded mid-stream]]'));
    let text = '';
    stream.on('text', (piece) => (text += piece));
    await expect(stream.finalMessage()).rejects.toMatchObject({ type: 'overloaded_error' });
    expect(text).toMatch(/^You said/);
  });

  test('a broken event cannot be parsed', async () => {
    await expect(eventsOf('[[broken]]')).rejects.toThrow(SyntaxError);
    const whole = await post('/v1/messages', ask('[[broken]]'));
    await expect(whole.json()).rejects.toThrow(SyntaxError);
  });

  test.each([true, false])('a cut ends in the middle (stream: %s)', async (stream) => {
    const response = await post('/v1/messages', { ...ask('[[cut times 1]]'), stream });
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow(TypeError);
    const again = await post('/v1/messages', { ...ask('[[cut times 1]]'), stream });
    expect(await again.text()).toContain('"end_turn"');
  });

  test.each([
    ['[[stall first-token]]', 'event: ping'],
    ['[[stall text]]', 'text_delta'],
    ['[[stall tool-input]]', 'input_json_delta'],
    ['[[pings every 1ms]]', 'event: ping\ndata: {"type":"ping"}\n\nevent: ping'],
  ])('%s gets as far as it should, and no further', async (prompt, awaited) => {
    const text = await readUntil(prompt, awaited);
    expect(text).toContain('event: message_start');
    expect(text).not.toContain('content_block_stop');
  });

  test('a stall at the start sends headers only; closing the simulator ends it', async () => {
    const response = await post('/v1/messages', { ...ask('[[stall start]]'), stream: true });
    expect(response.status).toBe(200);
    const rest = failureOf(response.text());
    await simulator.close();
    expect(await rest).toBeInstanceOf(TypeError);
  });

  test('a stall of the headers answers nothing; the client may go', async () => {
    const leave = new AbortController();
    const answer = post('/v1/messages', ask('[[stall headers]]'), { signal: leave.signal });
    await simulator.waitForRequest(({ prompt }) => prompt === '[[stall headers]]');
    leave.abort();
    await expect(answer).rejects.toThrow('aborted');
  });

  test.each(['[[stall text]]', '[[pings]]'])('%s without a stream is silence', async (prompt) => {
    const answer = failureOf(post('/v1/messages', ask(prompt)));
    await simulator.waitForRequest((entry) => entry.prompt === prompt);
    await simulator.close();
    expect(await answer).toBeInstanceOf(TypeError);
  });
});

describe('other resources', () => {
  test('tokens are counted as they are reported', async () => {
    const { input_tokens } = await client().messages.countTokens(ask('hello'));
    const { usage } = await client().messages.create(ask('hello'));
    expect(input_tokens).toBe(usage.input_tokens);
  });

  test('models are listed in pages, and found by id', async () => {
    const ids: string[] = [];
    for await (const { id } of client().models.list({ limit: 2 })) ids.push(id);
    expect(ids).toContain('claude-opus-5-5');
    expect(new Set(ids).size).toBe(ids.length);
    const page = await (await fetch(`${simulator.url}/v1/models?limit=1`)).json();
    expect(page).toMatchObject({ has_more: true, first_id: ids[0], last_id: ids[0] });
    const before = await client().models.list({ before_id: ids.at(-1) ?? '', limit: 1 });
    expect(before).toMatchObject({ has_more: true, first_id: ids.at(-2) });
    expect(await client().models.retrieve('claude-opus-5-5')).toMatchObject({ type: 'model' });
    await expect(client().models.retrieve('gpt')).rejects.toBeInstanceOf(NotFoundError);
    await expect(client().models.list({ limit: 0 })).rejects.toMatchObject({ status: 400 });
  });

  test('a look at the root is answered', async () => {
    const response = await fetch(simulator.url, { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.headers.get('request-id')).toMatch(/^req_sim_/);
  });

  test.each([
    ['an unknown path', '/v1/nothing', {}, 404, 'not_found_error'],
    ['bad JSON', '/v1/messages', '{', 400, 'invalid_request_error'],
    ['an invalid request', '/v1/messages', {}, 400, 'invalid_request_error'],
    ['a body too long', '/v1/messages', 'x'.repeat(2000), 413, 'request_too_large'],
  ])('%s gets an error in the shape of the API', async (_, path, body, status, type) => {
    await restart({ maxBodyBytes: 1000 });
    const response = await post(path, body);
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({
      type: 'error',
      error: { type, message: expect.stringMatching(/.+/) },
      request_id: response.headers.get('request-id'),
    });
    expect(simulator.requests).toMatchObject([{ path, method: 'POST' }]);
  });

  test('with a key set, another one is refused', async () => {
    await restart({ apiKey: 'right' });
    await expect(client().messages.create(ask('a'))).rejects.toMatchObject({ status: 401 });
    await client({ apiKey: 'right' }).messages.create(ask('a'));
    const bearer = { headers: { authorization: 'Bearer right' } };
    expect((await post('/v1/messages', ask('a'), bearer)).status).toBe(200);
  });
});

describe('the simulator', () => {
  test('remembers what was asked, and forgets it on reset', async () => {
    await post(
      '/v1/messages',
      { ...ask('hello'), system: 'be brief' },
      { headers: { 'x-claude-code-session-id': 'c1' } },
    );
    expect(simulator.requests).toEqual([
      {
        number: 1,
        method: 'POST',
        path: '/v1/messages',
        at: expect.any(Number),
        claudeSessionId: 'c1',
        model: 'claude-opus-5-5',
        stream: false,
        hasSystem: true,
        messageCount: 1,
        prompt: 'hello',
      },
    ]);
    simulator.reset();
    expect(simulator.requests).toEqual([]);
  });

  test('closes twice, also with connections open', async () => {
    const response = await post('/v1/messages', { ...ask('[[pings]]'), stream: true });
    const rest = failureOf(response.text());
    await Promise.all([simulator.close(), simulator.close()]);
    await simulator.close();
    expect(await rest).toBeInstanceOf(TypeError);
  });

  test('closes in the middle of a request that is still being sent', async () => {
    const sending = httpRequest(`${simulator.url}/v1/messages`, { method: 'POST' });
    const failed = new Promise((resolve) => sending.once('error', resolve));
    const connected = new Promise((resolve) =>
      sending.once('socket', (socket) => socket.once('connect', resolve)),
    );
    sending.write('{');
    await connected;
    await simulator.close();
    expect(await failed).toBeInstanceOf(Error);
  });

  test('says when its port is taken', async () => {
    await expect(startSimulator({ port: simulator.port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});
