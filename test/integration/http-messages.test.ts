import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import Anthropic, {
  AuthenticationError,
  BadRequestError,
  ConflictError,
  InternalServerError,
  NotFoundError,
  PermissionDeniedError,
  RateLimitError,
} from '@anthropic-ai/sdk';
import type { FastifyInstance } from 'fastify';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { RoundhouseError } from '../../src/errors.ts';
import { FakePool } from '../../src/http/testing/fake-pool.ts';
import { testApp } from '../../src/http/testing/test-app.ts';
import type { TestApp } from '../../src/http/testing/test-app.ts';

const open: FastifyInstance[] = [];

afterEach(async () => {
  await Promise.all(open.splice(0).map((app) => app.close()));
});

async function listen(created: TestApp): Promise<TestApp & { port: number; client: Anthropic }> {
  const url = await created.app.listen({ port: 0, host: '127.0.0.1' });
  open.push(created.app);
  const port = Number(new URL(url).port);
  const client = new Anthropic({ apiKey: 'unused', baseURL: url });
  return { ...created, port, client };
}

const params = {
  model: 'claude-a',
  max_tokens: 10,
  messages: [{ role: 'user', content: 'Hi' }],
} as const satisfies Anthropic.MessageCreateParamsNonStreaming;
const mutable = { ...params, messages: [...params.messages] };
const named = { headers: { 'x-session-id': 'demo' } };

/** A stream read by hand, so that the test decides when it leaves or stops reading. */
async function rawStream(port: number, headers: Record<string, string> = {}) {
  const request = httpRequest({
    port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/v1/messages',
    headers: { 'content-type': 'application/json', ...headers },
  });
  request.on('error', () => {});
  request.end(JSON.stringify({ ...params, stream: true }));
  const [response] = await once(request, 'response');
  return { request, response };
}

describe('the official client', () => {
  test('gets the same message streamed and not', async () => {
    const { client } = await listen(testApp());
    const whole = await client.messages.create(mutable);
    const stream = client.messages.stream(mutable);
    const texts: string[] = [];
    stream.on('text', (text) => texts.push(text));
    const streamed = await stream.finalMessage();
    expect(texts).toEqual(['Hello', ' world']);
    // `parsed_output` is the helper's own.
    expect({ ...streamed, id: '' }).toEqual({ ...whole, id: '', parsed_output: null });
    expect(whole).toMatchObject({ usage: { input_tokens: 11, output_tokens: 5 } });
  });

  test('gets the agent’s tool use as blocks, thinking with its signature, in both accumulators', async () => {
    const { client } = await listen(
      testApp(
        {},
        new FakePool((feed, t) =>
          feed.push(
            t.messageStart('m1'),
            t.blockStart('m1', 0, 'thinking'),
            t.delta('m1', 0, 'Hm', 'thinking_delta'),
            t.thinking('m1', 0, 'Hm.', 'signed'),
            t.toolUse('tool_1', 'Bash', { command: 'ls' }),
            t.toolResult('tool_1', 'a.txt'),
            ...t.streamedText('m2', 0, ['Done.']),
            t.end(),
          ),
        ),
      ),
    );
    const options = { headers: { 'x-agent-events': 'blocks' } };
    const thinking = { type: 'enabled' as const, budget_tokens: 1024 };
    const body = { ...mutable, thinking };
    const stable = await client.messages.stream(body, options).finalMessage();
    const beta = await client.beta.messages.stream(body, options).finalMessage();
    const whole = await client.beta.messages.create(body, options);
    expect(stable.content).toEqual(whole.content);
    expect(beta.content).toEqual(whole.content);
    expect(whole.content).toMatchObject([
      { type: 'thinking', thinking: 'Hm.', signature: 'signed' },
      { type: 'mcp_tool_use', name: 'Bash', input: { command: 'ls' } },
      { type: 'mcp_tool_result', tool_use_id: 'tool_1' },
      { type: 'text', text: 'Done.' },
    ]);
  });

  test('sees our errors as its own classes', async () => {
    const { client, pool } = await listen(testApp());
    const cases = [
      ['unsupported_field', BadRequestError],
      ['upstream_authentication', AuthenticationError],
      ['upstream_permission', PermissionDeniedError],
      ['model_not_found', NotFoundError],
      ['session_busy', ConflictError],
      ['upstream_rate_limited', RateLimitError],
      ['internal', InternalServerError],
      ['agent_died', InternalServerError],
    ] as const;
    for (const [code, type] of cases) {
      pool.refusals = [new RoundhouseError(code, `It was ${code}.`)];
      const failed = client.messages.create(mutable, { ...named, maxRetries: 0 });
      const error = await failed.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject({ requestID: expect.stringMatching(/^req_/) });
    }
    await expect(client.messages.create({ ...mutable, model: 'gpt' })).rejects.toMatchObject({
      status: 404,
      type: 'not_found_error',
    });
  });

  test('tries again by itself after a 503, as soon as Retry-After says', async () => {
    const { client, pool } = await listen(testApp());
    pool.refusals.push(new RoundhouseError('queue_full', 'No place.', { retryAfterSeconds: 1 }));
    const before = performance.now();
    const message = await client.messages.create(mutable, named);
    expect(message.content).toHaveLength(1);
    expect(pool.requests).toHaveLength(2);
    expect(performance.now() - before).toBeGreaterThan(900);
  });

  test.each([true, false])(
    'does not send a delivered prompt again by itself when its turn failed (stream: %s)',
    async (stream) => {
      const { client, pool } = await listen(
        testApp(
          {},
          new FakePool((feed, t) =>
            feed.push(
              t.end({ reason: 'failed', error: { code: 'agent_died', message: 'It died.' } }),
            ),
          ),
        ),
      );
      await expect(client.messages.create({ ...mutable, stream }, named)).rejects.toMatchObject({
        status: 502,
      });
      expect(pool.prompts).toHaveLength(1);
    },
  );

  test('gets one error in the middle of a stream', async () => {
    const { client } = await listen(
      testApp(
        {},
        new FakePool((feed, t) =>
          feed.push(
            t.messageStart('m1'),
            t.blockStart('m1', 0),
            t.delta('m1', 0, 'Hel'),
            t.end({ reason: 'interrupted' }),
          ),
        ),
      ),
    );
    const stream = client.messages.stream(mutable, named);
    const texts: string[] = [];
    stream.on('text', (text) => texts.push(text));
    await expect(stream.finalMessage()).rejects.toMatchObject({
      type: 'invalid_request_error',
    });
    expect(texts).toEqual(['Hel']);
  });

  test('lists the models', async () => {
    const { client } = await listen(testApp());
    const ids: string[] = [];
    for await (const model of client.models.list({ limit: 1 })) ids.push(model.id);
    expect(ids).toEqual(['claude-a', 'claude-b']);
    expect((await client.models.retrieve('claude-b')).id).toBe('claude-b');
  });
});

describe('a client that leaves', () => {
  test('leaves no reader; a one-shot session goes after its turn, a named one stays', async () => {
    const { port, pool, logged } = await listen(
      testApp(
        {},
        new FakePool((feed, t) =>
          feed.push(t.messageStart('m1'), t.blockStart('m1', 0), t.delta('m1', 0, 'a')),
        ),
      ),
    );
    const oneShot = await rawStream(port);
    const kept = await rawStream(port, { 'x-session-id': 'kept' });
    expect(pool.readers).toBe(2);
    oneShot.request.destroy();
    kept.request.destroy();
    await vi.waitUntil(() => pool.readers === 0);
    await vi.waitUntil(() => pool.deleted.length > 0);
    expect(pool.deleted).toEqual([expect.stringMatching(/^oneshot-/)]);
    await vi.waitUntil(() => logged.length === 2);
    expect(logged).toMatchObject([{ fields: { status: 499 } }, { fields: { status: 499 } }]);
  });

  test('while it waits for a session gives up the wait and gets no answer', async () => {
    const pool = new FakePool();
    const waiting = Promise.withResolvers<AbortSignal | undefined>();
    pool.getSessionClient = (_name, request) => {
      waiting.resolve(request?.signal);
      return new Promise((_resolve, reject) => {
        request?.signal?.addEventListener('abort', () => reject(request.signal?.reason));
      });
    };
    const { port, logged } = await listen(testApp({}, pool));
    const request = httpRequest({
      port,
      method: 'POST',
      path: '/v1/messages',
      headers: { 'content-type': 'application/json' },
    });
    request.on('error', () => {});
    request.end(JSON.stringify(params));
    const signal = await waiting.promise;
    request.destroy();
    await vi.waitUntil(() => signal?.aborted === true);
    await vi.waitUntil(() => pool.deleted.length === 1);
    expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  test('hundreds of times leaves no readers, sockets or listeners', async () => {
    const { app, port, pool } = await listen(
      testApp({ heartbeatMs: 5 }, new FakePool((feed, t) => feed.push(t.text('m1', 0, 'a')))),
    );
    const cycle = async (): Promise<void> => {
      const { request, response } = await rawStream(port);
      await once(response, 'data');
      request.destroy();
    };
    for (let round = 0; round < 30; round += 1)
      await Promise.all(Array.from({ length: 10 }, cycle));
    await vi.waitUntil(() => pool.readers === 0 && pool.deleted.length === 300);
    expect(pool.sessions.size).toBe(0);
    await vi.waitUntil(async () => (await connections(app)) === 0);
    expect(app.server.listenerCount('close')).toBeLessThan(10);
    expect(
      process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    ).toBeLessThan(10);
  });

  test('but keeps its connection does not pile up listeners on it', async () => {
    const { app, port } = await listen(testApp());
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on('warning', onWarning);
    const sockets = new Set<object>();
    app.server.on('connection', (socket) => sockets.add(socket));
    for (let round = 0; round < 200; round += 1) {
      const response = await fetch(`http://127.0.0.1:${port}/v1/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ ...params, stream: true }),
      });
      await response.text();
    }
    process.off('warning', onWarning);
    expect(warnings).toEqual([]);
    expect(sockets.size).toBeLessThan(5);
  });
});

describe('a client that does not read', () => {
  test('is cut off after its time, and its reader leaves', async () => {
    const big = 'x'.repeat(64_000);
    const { port, pool } = await listen(
      testApp(
        { readerMaxLagMs: 300 },
        new FakePool((feed, t) => {
          feed.push(t.messageStart('m1'), t.blockStart('m1', 0));
          for (let n = 0; n < 400; n += 1) feed.push(t.delta('m1', 0, big));
        }),
      ),
    );
    const payload = JSON.stringify({ ...params, stream: true });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(
      `POST /v1/messages HTTP/1.1\r\nhost: localhost\r\nx-session-id: slow\r\ncontent-type: application/json\r\ncontent-length: ${payload.length}\r\n\r\n${payload}`,
    );
    await vi.waitUntil(() => pool.readers === 1);
    await vi.waitUntil(() => pool.readers === 0, { timeout: 10_000 });
    socket.destroy();
    // The turn of a named session goes on without it.
    expect(pool.deleted).toEqual([]);
  });

  test('at once still gets everything in order', async () => {
    const chunk = 'y'.repeat(30_000);
    const { port } = await listen(
      testApp(
        {},
        new FakePool((feed, t) =>
          feed.push(
            t.messageStart('m1'),
            ...t.streamedText(
              'm1',
              0,
              Array.from({ length: 500 }, (_, n) => `${n}:${chunk}`),
            ),
            t.end(),
          ),
        ),
      ),
    );
    const { response } = await rawStream(port);
    let text = '';
    let reads = 0;
    for await (const data of response) {
      text += String(data);
      reads += 1;
      if (reads % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const numbers = [...text.matchAll(/"text":"(\d+):y/g)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, n) => n));
    expect(text).toContain('event: message_stop');
  });
});

describe('a body beyond the limit', () => {
  test('of 50 MB is refused with 413, also by the official client', async () => {
    const { client } = await listen(testApp({ maxBodyBytes: 33_554_432 }));
    const content = 'x'.repeat(50_000_000);
    await expect(
      client.messages.create({ ...mutable, messages: [{ role: 'user', content }] }),
    ).rejects.toMatchObject({ status: 413, type: 'request_too_large' });
  });
});

function connections(app: FastifyInstance): Promise<number> {
  return new Promise((resolve, reject) => {
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}
