import { afterEach, describe, expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { FakePool } from './testing/fake-pool.ts';
import type { Play } from './testing/fake-pool.ts';
import { sseEvents, testApp } from './testing/test-app.ts';

afterEach(() => {
  vi.useRealTimers();
});

const body = { model: 'claude-a', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };

const post = (payload: object = body, headers: Record<string, string> = {}, url = '/v1/messages') =>
  ({ method: 'POST', url, payload, headers }) as const;

const named = (workspace: string) =>
  post(body, { 'x-session-id': 'demo', 'x-workspace': workspace });

const failing =
  (code: 'agent_died' | 'upstream_rate_limited' | 'session_connection_failed'): Play =>
  (feed, t) =>
    feed.push(t.end({ reason: 'failed', error: { code, message: `It was ${code}.` } }));

describe('POST /v1/messages without a session', () => {
  test('answers with one message and takes the one-shot session away', async () => {
    const { app, pool } = testApp();
    const response = await app.inject(post({ ...body, system: 'Be brief.' }));
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      type: 'message',
      role: 'assistant',
      content: [{ type: 'text', text: 'Hello world' }],
      stop_reason: 'end_turn',
    });
    expect(response.headers['x-roundhouse-ignored']).toBe('max_tokens');
    expect(response.headers['request-id']).toMatch(/^req_[0-9a-f]{24}$/);
    const [{ name, request } = { name: '', request: {} }] = pool.requests;
    expect(request).toMatchObject({
      tenant: 'default',
      kind: 'one_shot',
      agent: { systemPrompt: { mode: 'replace', text: 'Be brief.' }, model: 'claude-a' },
    });
    expect(pool.prompts[0]?.request.whenUnread).toEqual({ policy: 'interrupt', graceMs: 0 });
    expect(pool.deleted).toEqual([name]);
  });

  test('brings its history along', async () => {
    const { app, pool } = testApp();
    const history = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ];
    await app.inject(post({ ...body, messages: [...history, ...body.messages] }));
    expect(pool.requests[0]?.request.history).toEqual(history);
  });

  test.each([true, false])('is taken away after a failure too (stream: %s)', async (stream) => {
    const { app, pool } = testApp({}, new FakePool(failing('agent_died')));
    const response = await app.inject(post({ ...body, stream }));
    expect(response.statusCode).toBe(502);
    expect(pool.deleted).toHaveLength(1);
    pool.refusals.push(new RoundhouseError('pool_at_capacity', 'Full.'));
    await app.inject(post());
    expect(pool.deleted).toHaveLength(2);
  });

  test('is not disturbed when the removal fails', async () => {
    const { app, pool, logged } = testApp();
    pool.deleteSession = async () => {
      throw new Error('disk gone');
    };
    expect((await app.inject(post())).statusCode).toBe(200);
    await vi.waitFor(() =>
      expect(logged.map((line) => line.event)).toContain('one_shot_removal_failed'),
    );
  });
});

describe('x-workspace', () => {
  test('names the folder of a session', async () => {
    const { app, pool } = testApp();
    expect((await app.inject(named('/srv/project'))).statusCode).toBe(200);
    await app.inject(named(Buffer.from('/srv/Größe', 'utf8').toString('latin1')));
    expect(pool.requests.map(({ request }) => request.workspace)).toEqual([
      '/srv/project',
      '/srv/Größe',
    ]);
  });

  test('is refused on a call without a session, and where it is no path', async () => {
    const { app, pool } = testApp();
    const requests = [
      post(body, { 'x-workspace': '/srv/project' }),
      named(''),
      named(`/${'x'.repeat(5_000)}`),
    ];
    for (const request of requests) {
      const response = await app.inject(request);
      expect(response.statusCode).toBe(400);
      expect(response.json().error).toMatchObject({
        type: 'invalid_request_error',
        message: expect.stringMatching(/^x-workspace: expected /),
      });
    }
    expect(pool.requests).toEqual([]);
  });

  test('that the key may not name is 403', async () => {
    const { app, pool } = testApp();
    pool.refusals.push(new RoundhouseError('workspace_not_allowed', 'Not there.'));
    const response = await app.inject(named('/etc'));
    expect(response.statusCode).toBe(403);
    expect(response.json().error).toMatchObject({ type: 'permission_error' });
  });
});

describe('a session', () => {
  test.each([
    ['the path', post(body, {}, '/sessions/demo/v1/messages')],
    ['x-session-id', post(body, { 'x-session-id': 'demo' })],
    ['metadata.session_id', post({ ...body, metadata: { session_id: 'demo' } })],
    [
      'all three',
      post(
        { ...body, metadata: { session_id: 'demo' } },
        { 'x-session-id': 'demo' },
        '/sessions/demo/v1/messages',
      ),
    ],
  ])('is named by %s and kept', async (_where, request) => {
    const { app, pool } = testApp();
    expect((await app.inject(request)).statusCode).toBe(200);
    expect(pool.requests).toMatchObject([{ name: 'demo', request: { kind: 'named' } }]);
    expect(pool.requests[0]?.request.agent).toEqual({});
    expect(pool.prompts[0]?.request).toEqual({
      model: 'claude-a',
      onBusy: 'queue',
      whenUnread: { policy: 'continue' },
    });
    expect(pool.deleted).toEqual([]);
  });

  test('keeps its own history and says that the one that came is ignored', async () => {
    const { app, pool } = testApp();
    const messages = [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
      { role: 'user', content: 'c' },
    ];
    const response = await app.inject(post({ ...body, messages }, { 'x-session-id': 's' }));
    expect(response.headers['x-roundhouse-ignored']).toBe('max_tokens, messages[0..1]');
    expect(pool.requests[0]?.request.history).toBeUndefined();
  });

  test('may not have two names', async () => {
    const { app, pool } = testApp();
    const response = await app.inject(
      post(body, { 'x-session-id': 'b' }, '/sessions/a/v1/messages'),
    );
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      error: { message: expect.stringContaining('the path names the session a') },
    });
    expect(pool.requests).toEqual([]);
  });

  test.each([
    ['/sessions/a%2Fb/v1/messages', {}],
    ['/sessions/..%2F..%2Fetc/v1/messages', {}],
    [`/sessions/${'a'.repeat(129)}/v1/messages`, {}],
    [`/sessions/${'a'.repeat(1500)}/v1/messages`, {}],
    ['/sessions/%20/v1/messages', {}],
    ['/v1/messages', { 'x-session-id': '.hidden' }],
    ['/v1/messages', { 'x-session-id': '' }],
    ['/v1/messages', { 'x-session-id': 'a/b' }],
  ])('of the name in %s %j is refused with the pattern', async (url, headers) => {
    const { app, pool } = testApp();
    const response = await app.inject(post(body, headers, url));
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({
      type: 'error',
      error: {
        type: 'invalid_request_error',
        message: expect.stringContaining('^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$'),
      },
    });
    expect(pool.requests).toEqual([]);
  });

  test('that is busy refuses when it was asked to, and SDKs do not try again', async () => {
    const { app, pool } = testApp();
    pool.promptRefusals.push(new RoundhouseError('session_busy', 'Busy.'));
    const headers = { 'x-session-id': 's', 'x-on-busy': 'reject' };
    const response = await app.inject(post(body, headers));
    expect(pool.prompts[0]?.request.onBusy).toBe('reject');
    expect(response.statusCode).toBe(409);
    expect(response.headers['x-should-retry']).toBe('false');
  });
});

test('a turn has the priority and the limits that its headers ask for, and no others', async () => {
  const { app, pool } = testApp();
  await app.inject(
    post(body, {
      'x-session-id': 's',
      'x-priority': 'high',
      'x-turn-limits': '{"silenceMs":120000}',
      'x-session-limits': '{"turnMs":60000}',
    }),
  );
  await app.inject(post(body, { 'x-session-id': 's' }));
  expect(pool.requests.map(({ request }) => request.priority)).toEqual([5, 0]);
  expect(pool.requests.map(({ request }) => request.limits)).toEqual([
    { turnMs: 60_000 },
    undefined,
  ]);
  expect(pool.prompts.map(({ request }) => request.limits)).toEqual([
    { silenceMs: 120_000 },
    undefined,
  ]);
});

describe('a stream', () => {
  test('is one message with a ping behind its start', async () => {
    const { app } = testApp();
    const response = await app.inject(post({ ...body, stream: true }));
    expect(response.statusCode).toBe(200);
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'x-roundhouse-ignored': 'max_tokens',
      'request-id': expect.stringMatching(/^req_/),
    });
    expect(sseEvents(response.body).map(({ event }) => event)).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  test('that fails before its first output is a real HTTP error', async () => {
    const { app } = testApp({}, new FakePool(failing('upstream_rate_limited')));
    const response = await app.inject(post({ ...body, stream: true }));
    expect(response.statusCode).toBe(429);
    expect(response.headers['content-type']).toContain('application/json');
    // The prompt was delivered: sending it again would repeat it.
    expect(response.headers['x-should-retry']).toBe('false');
    expect(response.json()).toEqual({
      type: 'error',
      error: {
        type: 'rate_limit_error',
        message: 'It was upstream_rate_limited.',
        details: { error_code: 'upstream_rate_limited' },
      },
      request_id: response.headers['request-id'],
    });
  });

  test('that fails later ends with one error event', async () => {
    const { app } = testApp(
      {},
      new FakePool((feed, t) =>
        feed.push(
          t.messageStart('m1'),
          t.blockStart('m1', 0),
          t.delta('m1', 0, 'Hel'),
          t.end({ reason: 'failed', error: { code: 'agent_died', message: 'It died.' } }),
        ),
      ),
    );
    const response = await app.inject(post({ ...body, stream: true }));
    expect(response.statusCode).toBe(200);
    const events = sseEvents(response.body);
    expect(events.at(-1)).toEqual({
      event: 'error',
      data: {
        type: 'error',
        error: {
          type: 'api_error',
          message: 'It died.',
          details: { error_code: 'agent_died' },
        },
        request_id: response.headers['request-id'],
      },
    });
    expect(events.filter(({ event }) => event === 'error')).toHaveLength(1);
  });

  test('says 200 when the hold is over, pings, and then has errors as events', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
    const { app, pool } = testApp(
      { statusHoldMs: 1_000, heartbeatMs: 400 },
      new FakePool(() => {}),
    );
    const response = app.inject({ ...post({ ...body, stream: true }), payloadAsStream: true });
    await vi.waitUntil(() => pool.readers === 1);
    await vi.advanceTimersByTimeAsync(999);
    await vi.advanceTimersByTimeAsync(1);
    const started = await response;
    expect(started.statusCode).toBe(200);
    await vi.advanceTimersByTimeAsync(800);
    pool.feeds[0]?.end(new RoundhouseError('reader_too_slow', 'Too slow.'));
    const text = await new Response(ReadableStream.from(started.stream())).text();
    expect(sseEvents(text).map(({ event }) => event)).toEqual([
      'message_start',
      'ping',
      'ping',
      'ping',
      'error',
    ]);
  });

  test('whose events end without an end of the turn says so', async () => {
    const { app, pool } = testApp({}, new FakePool((feed) => feed.end()));
    const response = await app.inject(post({ ...body, stream: true }, { 'x-session-id': 's' }));
    expect(response.statusCode).toBe(500);
    expect(pool.readers).toBe(0);
  });
});

const toolPlay: Play = (feed, t) =>
  feed.push(
    t.toolUse('tool_1', 'Bash', { command: 'ls' }),
    t.toolResult('tool_1', 'a.txt'),
    t.text('m1', 0, 'Done.'),
    t.end(),
  );

describe('the tool use of the agent', () => {
  test.each([
    ['hide', ['text']],
    ['blocks', ['mcp_tool_use', 'mcp_tool_result', 'text']],
    ['text', ['text', 'text', 'text']],
  ])('shows as %s', async (mode, expected) => {
    const { app } = testApp({}, new FakePool(toolPlay));
    const response = await app.inject(post(body, { 'x-agent-events': mode }));
    const { content } = response.json<{ content: { type: string }[] }>();
    expect(content.map((block) => block.type)).toEqual(expected);
  });

  test('cannot be shown in another way', async () => {
    const { app } = testApp();
    const response = await app.inject(post(body, { 'x-agent-events': 'all' }));
    expect(response.statusCode).toBe(400);
    expect(response.body).toContain('expected one of hide, blocks, text');
  });
});

const raw = (payload: string, type = 'application/json') =>
  ({
    method: 'POST',
    url: '/v1/messages',
    payload,
    headers: { 'content-type': type },
  }) as const;

describe('bad input', () => {
  test.each([
    ['broken JSON', raw('{"model":'), 400, 'invalid_request_error'],
    ['no JSON', raw('hello', 'text/plain'), 415, 'invalid_request_error'],
    ['an empty body', raw(''), 400, 'invalid_request_error'],
    ['a body beyond the limit', raw(`"${'x'.repeat(200_000)}"`), 413, 'request_too_large'],
    ['a list', raw('[]'), 400, 'invalid_request_error'],
    ['a poisoned prototype', raw('{"__proto__":{"a":1}}'), 400, 'invalid_request_error'],
    ['an unknown model', post({ ...body, model: 'gpt' }), 404, 'not_found_error'],
    [
      'an empty prompt',
      post({ messages: [{ role: 'user', content: '' }] }),
      400,
      'invalid_request_error',
    ],
    ['a refused field', post({ ...body, temperature: 0.5 }), 400, 'invalid_request_error'],
    ['x-on-busy', post(body, { 'x-on-busy': 'wait' }), 400, 'invalid_request_error'],
    ['x-priority', post(body, { 'x-priority': 'urgent' }), 400, 'invalid_request_error'],
    ['x-turn-limits', post(body, { 'x-turn-limits': 'soon' }), 400, 'invalid_request_error'],
    [
      'x-turn-limits',
      post(body, { 'x-turn-limits': '{"silenceMs":1}' }),
      400,
      'invalid_request_error',
    ],
    [
      'x-session-limits',
      post(body, { 'x-session-limits': '{"silence":120000}' }),
      400,
      'invalid_request_error',
    ],
  ])('%s is answered clearly', async (_what, request, status, type) => {
    const { app, pool } = testApp();
    const response = await app.inject(request);
    expect(response.statusCode).toBe(status);
    expect(response.json()).toEqual({
      type: 'error',
      error: {
        type,
        message: expect.stringMatching(/.{10}/),
        details: { error_code: expect.any(String) },
      },
      request_id: response.headers['request-id'],
    });
    expect(response.headers['x-should-retry']).toBe('false');
    expect(pool.requests).toEqual([]);
  });
});

describe('an error', () => {
  test('of the pool carries status, type and Retry-After', async () => {
    const { app, pool } = testApp();
    pool.refusals.push(
      new RoundhouseError('queue_full', 'No place.', { retryAfterSeconds: 2.5 }),
      new RoundhouseError('draining', 'Going down.'),
    );
    const first = await app.inject(post());
    expect(first.statusCode).toBe(503);
    expect(first.headers['retry-after']).toBe('3');
    expect(first.headers['x-should-retry']).toBeUndefined();
    expect(first.json()).toMatchObject({ error: { type: 'overloaded_error' } });
    const second = await app.inject(post());
    expect(second.headers['retry-after']).toBe('1');
  });

  test('that nobody foresaw is logged with its cause and leaks nothing', async () => {
    const { app, pool, logged } = testApp();
    pool.refusals.push(new Error('password=hunter2'));
    const response = await app.inject(post());
    expect(response.statusCode).toBe(500);
    expect(response.body).not.toContain('hunter2');
    const line = logged.find(({ event }) => event === 'http_error');
    expect(line?.fields).toMatchObject({
      requestId: response.headers['request-id'],
      code: 'internal',
      cause: expect.stringContaining('hunter2'),
    });
  });

  test('of the start, before the prompt was delivered, may be tried again', async () => {
    const { app, pool } = testApp();
    pool.refusals.push(new RoundhouseError('session_connection_failed', 'No process.'));
    const response = await app.inject(post());
    expect(response.statusCode).toBe(503);
    expect(response.headers['x-should-retry']).toBeUndefined();
  });
});
