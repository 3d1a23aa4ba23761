import { describe, expect, test, vi } from 'vitest';
import { TurnItems } from '../dialects/testing/log-items.ts';
import { RoundhouseError } from '../errors.ts';
import { assertBindAllowed, createAuthenticator, hashKey } from './auth.ts';
import { sseEvents, testApp } from './testing/test-app.ts';

const keys = [
  { id: 'alice', hash: hashKey('key-a') },
  { id: 'bob', hash: hashKey('key-b') },
];
const body = { messages: [{ role: 'user', content: 'Hi' }] };

describe('keys', () => {
  test.each([
    [{ 'x-api-key': 'key-a' }, 'alice'],
    [{ 'x-api-key': 'key-b' }, 'bob'],
    [{ authorization: 'Bearer key-b' }, 'bob'],
  ])('%j is %s', async (headers, tenant) => {
    const { app, pool } = testApp({ keys });
    const request = { method: 'POST', url: '/v1/messages', payload: body, headers } as const;
    expect((await app.inject(request)).statusCode).toBe(200);
    expect(pool.requests[0]?.request.tenant).toBe(tenant);
  });

  test.each([
    [{}],
    [{ 'x-api-key': 'key-c' }],
    [{ 'x-api-key': hashKey('key-a') }],
    [{ 'x-api-key': '' }],
    [{ authorization: 'Basic key-a' }],
    [{ 'x-api-key': 'wrong', authorization: 'Bearer key-a' }],
  ])('%j is refused before the body is read', async (headers) => {
    const { app, pool } = testApp({ keys });
    const response = await app.inject({
      method: 'POST',
      url: '/v1/messages',
      payload: '{"broken',
      headers: { 'content-type': 'application/json', ...headers },
    });
    expect(response.statusCode).toBe(401);
    expect(response.json()).toMatchObject({ error: { type: 'authentication_error' } });
    expect(pool.requests).toEqual([]);
  });

  test.each([
    ['/health/live', 200],
    ['/health/ready', 200],
    ['/metrics', 401],
    ['/sessions', 401],
    ['/v1/models', 401],
    ['/nothing', 401],
  ])('without one, %s answers %i', async (url, status) => {
    const { app } = testApp({ keys });
    expect((await app.inject(url)).statusCode).toBe(status);
  });

  test('see their own sessions only', async () => {
    const { app, pool } = testApp({ keys });
    pool.sessions.set('alice/demo', []);
    const bob = { 'x-api-key': 'key-b' };
    for (const [method, url] of [
      ['GET', '/sessions/demo'],
      ['DELETE', '/sessions/demo'],
      ['POST', '/sessions/demo/interrupt'],
      ['POST', '/sessions/demo/warm'],
      ['GET', '/sessions/demo/events'],
    ] as const) {
      expect((await app.inject({ method, url, headers: bob })).statusCode).toBe(404);
    }
    expect((await app.inject({ url: '/sessions', headers: bob })).json()).toEqual({
      data: [],
      next: null,
    });
    expect(
      (await app.inject({ url: '/sessions/demo', headers: { 'x-api-key': 'key-a' } })).statusCode,
    ).toBe(200);
  });
});

describe('without keys', () => {
  const authenticate = createAuthenticator([]);

  test.each([
    { host: 'localhost:8787' },
    { host: 'LOCALHOST' },
    { host: '127.0.0.1:80' },
    { host: '[::1]:8787' },
    { host: 'localhost', origin: 'http://127.0.0.1:3000' },
    { host: 'localhost', origin: 'http://[::1]:3000' },
    { host: 'localhost', 'x-api-key': 'anything' },
  ])('%j is let in', (headers) => {
    expect(authenticate(headers)).toEqual({ tenant: 'default', admin: true });
  });

  test.each([
    {},
    { host: 'evil.test' },
    { host: 'localhost.evil.test' },
    { host: '127.0.0.1.evil.test' },
    { host: '192.168.0.2' },
    { host: 'localhost', origin: 'https://evil.test' },
    { host: 'localhost', origin: 'null' },
    { host: 'localhost', origin: 'http://localhost.evil.test' },
  ])('%j is refused', (headers) => {
    expect(() => authenticate(headers)).toThrow(/Without keys/);
  });

  test('only loopback may be listened on', () => {
    for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) assertBindAllowed(host, []);
    for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.test', '127.0.0.1.evil.test']) {
      expect(() => assertBindAllowed(host, [])).toThrow(RoundhouseError);
      assertBindAllowed(host, keys);
    }
  });
});

describe('other routes', () => {
  test('list the models in the shape of the API, with its paging', async () => {
    const { app } = testApp({ models: ['a', 'b', 'c'] });
    const ids = async (query: string): Promise<unknown> => {
      const page = (await app.inject(`/v1/models${query}`)).json<{
        data: { id: string }[];
        has_more: boolean;
      }>();
      return [page.data.map((model) => model.id).join(''), page.has_more];
    };
    expect(await ids('')).toEqual(['abc', false]);
    expect(await ids('?limit=2')).toEqual(['ab', true]);
    expect(await ids('?limit=2&after_id=b')).toEqual(['c', false]);
    expect(await ids('?limit=1&before_id=c')).toEqual(['b', true]);
    expect((await app.inject('/v1/models?limit=0')).statusCode).toBe(400);
    expect((await app.inject('/v1/models/a')).json()).toMatchObject({ type: 'model', id: 'a' });
    expect((await app.inject('/v1/models/zz')).statusCode).toBe(404);
  });

  test('tell readiness with its reason', async () => {
    const { app, pool } = testApp();
    expect((await app.inject('/health/ready')).statusCode).toBe(200);
    pool.ready = { ready: false, reason: 'draining' };
    const response = await app.inject('/health/ready');
    expect(response.statusCode).toBe(503);
    expect(response.json()).toEqual({ ready: false, reason: 'draining' });
  });

  test('give metrics as text', async () => {
    const { app } = testApp();
    const response = await app.inject('/metrics');
    expect(response.headers['content-type']).toContain('text/plain; version=0.0.4');
    expect(response.body).toBe('up 1\n');
  });

  test.each([
    ['GET', '/v1/message', 404],
    ['PUT', '/v1/messages', 404],
    ['OPTIONS', '/v1/messages', 404],
    ['POST', '/v1/messages/count_tokens', 404],
    ['GET', '/%zz', 400],
  ] as const)('%s %s is answered in our shape', async (method, url, status) => {
    const { app } = testApp();
    const response = await app.inject({ method, url });
    expect(response.statusCode).toBe(status);
    expect(response.json()).toMatchObject({
      type: 'error',
      request_id: response.headers['request-id'],
    });
  });

  test('log each request with its pattern and without its content', async () => {
    const { app, logged } = testApp();
    await app.inject({ method: 'POST', url: '/sessions/demo/v1/messages?q=secret', payload: body });
    await app.inject('/unknown/secret');
    const lines = logged.filter(({ event }) => event === 'http_request');
    expect(lines.map(({ fields }) => fields)).toMatchObject([
      {
        method: 'POST',
        route: '/sessions/:sessionId/v1/messages',
        status: 200,
        tenant: 'default',
        requestId: expect.stringMatching(/^req_/),
        ms: expect.any(Number),
      },
      { status: 404, route: 'unknown' },
    ]);
    expect(JSON.stringify(lines)).not.toContain('secret');
  });
});

const withEvents = (count: number) => {
  const created = testApp();
  const t = new TurnItems();
  const records = Array.from({ length: count }, (_, n) => t.textRecord('m', n, `text ${n}`));
  created.pool.sessions.set('default/demo', records);
  return { ...created, t };
};

describe('sessions', () => {
  test('are listed, read, interrupted and deleted', async () => {
    const { app, pool } = withEvents(1);
    pool.sessions.set('default/other', []);
    const page = await app.inject('/sessions?limit=1');
    expect(page.json()).toMatchObject({ data: [{ name: 'demo', status: 'idle' }], next: 'demo' });
    expect((await app.inject('/sessions?after=demo')).json()).toMatchObject({
      data: [{ name: 'other' }],
      next: null,
    });
    expect((await app.inject('/sessions?limit=x')).statusCode).toBe(400);
    expect((await app.inject('/sessions?size=5')).statusCode).toBe(400);
    expect((await app.inject('/sessions/demo')).json()).toMatchObject({ id: 'sesn_demo' });
    const interrupt = { method: 'POST', url: '/sessions/demo/interrupt' } as const;
    expect((await app.inject(interrupt)).json()).toEqual({ name: 'demo', interrupted: true });
    const warm = { method: 'POST', url: '/sessions/demo/warm' } as const;
    expect((await app.inject(warm)).json()).toMatchObject({ name: 'demo' });
    const unknown = { method: 'POST', url: '/sessions/nobody/warm' } as const;
    expect((await app.inject(unknown)).statusCode).toBe(404);
    const remove = { method: 'DELETE', url: '/sessions/demo' } as const;
    expect((await app.inject(remove)).json()).toEqual({ name: 'demo', deleted: true });
    expect((await app.inject(remove)).statusCode).toBe(404);
    expect((await app.inject('/sessions/demo')).statusCode).toBe(404);
    expect((await app.inject('/sessions/a%2Fb')).statusCode).toBe(400);
  });

  test('give their events in pages', async () => {
    const { app } = withEvents(3);
    const first = (await app.inject('/sessions/demo/events?limit=2')).json<{
      data: { number: number }[];
      next: number;
    }>();
    expect([first.data.map(({ number }) => number), first.next]).toEqual([[1, 2], 2]);
    const rest = (await app.inject('/sessions/demo/events?limit=2&after=2')).json<{
      data: { number: number }[];
    }>();
    expect(rest).toMatchObject({ data: [{ number: 3 }], next: null });
    expect((await app.inject('/sessions/demo/events?after=-1')).statusCode).toBe(400);
  });

  test('give their events as a stream that can be resumed', async () => {
    const { app, pool, t } = withEvents(3);
    pool.live.push(t.delta('m9', 0, 'typing'), t.text('m9', 0, 'typing'));
    pool.live.end();
    const accept = { accept: 'text/event-stream' };
    const read = async (headers: Record<string, string>, query = ''): Promise<unknown> => {
      const response = await app.inject({ url: `/sessions/demo/events${query}`, headers });
      expect(response.headers['content-type']).toContain('text/event-stream');
      return sseEvents(response.body).map(({ id, event }) => [id, event]);
    };
    expect(await read(accept, '?after=2')).toEqual([
      ['3', 'agent.message'],
      [undefined, 'preview'],
      ['4', 'agent.message'],
      [undefined, 'end'],
    ]);
    expect(await read({ ...accept, 'last-event-id': '3' }, '?after=0')).toEqual([
      [undefined, 'preview'],
      ['4', 'agent.message'],
      [undefined, 'end'],
    ]);
    const bad = { url: '/sessions/demo/events', headers: { ...accept, 'last-event-id': 'x' } };
    expect((await app.inject(bad)).statusCode).toBe(400);
    const unknown = { url: '/sessions/nobody/events', headers: accept };
    expect((await app.inject(unknown)).statusCode).toBe(404);
  });

  test('log no error for a reader that left before it was let in', async () => {
    const { app, pool, logged } = testApp();
    const left = Promise.withResolvers<void>();
    const client = new AbortController();
    vi.spyOn(pool, 'followEvents').mockImplementation(
      (_tenant, _name, { signal }) =>
        new Promise((_, reject) => {
          signal?.addEventListener('abort', () => {
            left.resolve();
            reject(signal.reason);
          });
          client.abort();
        }),
    );
    const url = await app.listen({ port: 0 });
    const headers = { accept: 'text/event-stream' };
    await expect(
      fetch(`${url}/sessions/demo/events`, { headers, signal: client.signal }),
    ).rejects.toThrow('aborted');
    await left.promise;
    await app.close();
    expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test.each([
    ['reader_too_slow', true],
    ['session_moved', true],
    ['draining', true],
    ['session_ended', false],
  ] as const)('tell a reader why its stream ends: %s', async (code, reconnect) => {
    const { app, pool, t } = withEvents(3);
    pool.live.push(t.text('m9', 0, 'more'), t.delta('m9', 1, 'x'));
    pool.live.end(new RoundhouseError(code, `It was ${code}.`));
    const response = await app.inject({
      url: '/sessions/demo/events?after=1',
      headers: { accept: 'text/event-stream' },
    });
    expect(sseEvents(response.body).at(-1)).toEqual({
      event: 'end',
      data: { reason: code, reconnect, lastNumber: 4, message: `It was ${code}.` },
    });
  });

  test('say what is gone, on a page and in a stream, once', async () => {
    const { app, pool } = withEvents(5);
    pool.sessions.get('default/demo')?.splice(0, 3);
    const page = async (after: number): Promise<unknown> =>
      (await app.inject(`/sessions/demo/events?after=${after}`)).json<{ gap: unknown }>().gap;
    expect(await Promise.all([0, 2, 3, 4, 5].map(page))).toEqual([
      { from: 1, to: 3 },
      { from: 3, to: 3 },
      null,
      null,
      null,
    ]);
    vi.spyOn(pool, 'followEvents').mockImplementation(async () => pool.live.read());
    pool.live.push({ gap: { from: 1, to: 3 } });
    pool.live.end(new RoundhouseError('draining', 'Bye.'));
    const accept = { accept: 'text/event-stream' };
    const stream = await app.inject({ url: '/sessions/demo/events', headers: accept });
    expect(sseEvents(stream.body)).toMatchObject([
      { id: '3', event: 'gap', data: { from: 1, to: 3 } },
      { event: 'end', data: { reason: 'draining', lastNumber: 3 } },
    ]);
  });
});

const drain = (): { deadlineMs: number } => ({ deadlineMs: 20_000 });

describe('POST /admin/drain', () => {
  const post = { method: 'POST', url: '/admin/drain' } as const;

  test('needs a key with admin: true, where there are keys', async () => {
    const started = vi.fn<typeof drain>(drain);
    const root = { id: 'root', hash: hashKey('key-r'), admin: true };
    const { app } = testApp({ keys: [...keys, root] }, undefined, { drain: started });
    const status = async (key?: string): Promise<number> => {
      const headers = key === undefined ? {} : { 'x-api-key': key };
      return (await app.inject({ ...post, headers })).statusCode;
    };
    expect([await status(), await status('key-a')]).toEqual([401, 403]);
    expect(started).not.toHaveBeenCalled();
    expect(await status('key-r')).toBe(202);
    expect(started).toHaveBeenCalledOnce();
  });

  test('without keys needs loopback, as everything does, and answers at once', async () => {
    const { app } = testApp({}, undefined, { drain });
    const answer = await app.inject(post);
    expect([answer.statusCode, answer.json()]).toEqual([
      202,
      { draining: true, deadlineMs: 20_000 },
    ]);
    const evil = { ...post, headers: { host: 'evil.test' } };
    expect((await app.inject(evil)).statusCode).toBe(403);
    expect((await testApp().app.inject(post)).statusCode).toBe(404);
  });
});
