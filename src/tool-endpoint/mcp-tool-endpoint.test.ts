import { request } from 'node:http';

import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';

import type { ClientToolResult } from '../contracts/answerer.ts';
import {
  MAX_HELD_CALLS,
  type ClientTool,
  type OpenedTools,
  type ToolCall,
  type ToolCallHandler,
} from '../contracts/tool-endpoint.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { McpToolEndpoint } from './mcp-tool-endpoint.ts';

const WEATHER: ClientTool = {
  name: 'get_weather',
  description: 'The weather of a city.',
  inputSchema: {
    type: 'object',
    properties: { city: { type: 'string', pattern: '^(a+)+$' }, days: true },
    required: ['city'],
  },
};

const SUNNY: ClientToolResult = { content: [{ type: 'text', text: 'sunny' }], isError: false };

let endpoint: McpToolEndpoint;
beforeEach(() => {
  endpoint = new McpToolEndpoint(NO_TELEMETRY);
});
afterEach(() => endpoint.close());

/** The official client, as a process would be one. */
async function connect({ url, token }: Pick<OpenedTools, 'url' | 'token'>): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const headers = { authorization: `Bearer ${token}` };
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  onTestFinished(() => client.close());
  return client;
}

async function open(handler: ToolCallHandler, tools = [WEATHER]): Promise<OpenedTools> {
  return endpoint.open(tools, handler);
}

let ids = 0;
function call(client: Client, input: Record<string, unknown>, toolUseId = `toolu_${(ids += 1)}`) {
  return client.callTool(
    {
      name: 'get_weather',
      arguments: input,
      _meta: { 'claudecode/toolUseId': toolUseId },
    },
    undefined,
    { timeout: 2_000_000_000 },
  );
}

/** Holds every call until it is told. */
class Holding {
  readonly calls: ToolCall[] = [];
  readonly signals: AbortSignal[] = [];
  readonly #answers: ((result: ClientToolResult) => void)[] = [];
  readonly #waiters: (() => void)[] = [];

  readonly handler: ToolCallHandler = (toolCall, signal) => {
    this.calls.push(toolCall);
    this.signals.push(signal);
    for (const wake of this.#waiters.splice(0)) wake();
    return new Promise((resolve) => this.#answers.push(resolve));
  };

  async until(count: number): Promise<void> {
    while (this.calls.length < count)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  answer(index: number, result: ClientToolResult): void {
    this.#answers[index]?.(result);
  }
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal === undefined || signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** The bare status of a request, and its body. */
function ask(
  url: string,
  options: { method?: string; headers?: Record<string, string>; body?: string },
): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', ...options }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode, body }));
    });
    sent.on('error', reject);
    sent.end(options.body);
  });
}

describe("a client's tools", () => {
  test('are listed, with a schema that the protocol allows and as safe to be called side by side', async () => {
    const client = await connect(await open(() => Promise.resolve(SUNNY)));
    const { tools } = await client.listTools();
    expect(tools).toMatchObject([
      {
        name: 'get_weather',
        description: 'The weather of a city.',
        inputSchema: { ...WEATHER.inputSchema, properties: { city: { type: 'string' }, days: {} } },
        annotations: { readOnlyHint: true },
      },
    ]);
  });

  test('are called with the id of the call, and answered', async () => {
    const calls: ToolCall[] = [];
    const client = await connect(
      await open((toolCall) => {
        calls.push(toolCall);
        return Promise.resolve(SUNNY);
      }),
    );
    const result = await call(client, { city: 'aa' }, 'toolu_x');
    expect(calls).toEqual([{ name: 'get_weather', input: { city: 'aa' }, toolUseId: 'toolu_x' }]);
    expect(result).toMatchObject({ content: [{ type: 'text', text: 'sunny' }], isError: false });
  });

  test('give back texts, images and texts of documents as such, and the rest as it is', async () => {
    const image = { type: 'base64', media_type: 'image/png', data: 'aGk=' };
    const content = [
      { type: 'text', text: 'a' },
      { type: 'image', source: image },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'b' } },
      { type: 'image', source: { type: 'url', url: 'https://x.example/a.png' } },
    ];
    const client = await connect(await open(() => Promise.resolve({ content, isError: true })));
    expect(await call(client, { city: 'aa' })).toMatchObject({
      isError: true,
      content: [
        { type: 'text', text: 'a' },
        { type: 'image', mimeType: 'image/png', data: 'aGk=' },
        { type: 'text', text: 'b' },
        { type: 'text', text: JSON.stringify(content[3]) },
      ],
    });
  });

  test('are held side by side, each with an answer of its own, in any order', async () => {
    const holding = new Holding();
    const client = await connect(await open(holding.handler));
    const first = call(client, { city: 'aa' });
    const second = call(client, { city: 'bb' });
    await holding.until(2);
    const at = (city: string): number =>
      holding.calls.findIndex(({ input }) => input['city'] === city);
    holding.answer(at('bb'), { content: [{ type: 'text', text: 'rain' }], isError: false });
    expect(await second).toMatchObject({ content: [{ text: 'rain' }] });
    holding.answer(at('aa'), SUNNY);
    expect(await first).toMatchObject({ content: [{ text: 'sunny' }] });
  });

  test('of one process are not those of another', async () => {
    const other = { ...WEATHER, name: 'other' };
    const mine = await connect(await open(() => Promise.resolve(SUNNY)));
    const theirs = await connect(await open(() => Promise.resolve(SUNNY), [other]));
    expect((await mine.listTools()).tools.map(({ name }) => name)).toEqual(['get_weather']);
    expect((await theirs.listTools()).tools.map(({ name }) => name)).toEqual(['other']);
  });
});

describe('an answer that takes hours', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'setInterval', 'Date'] }));
  afterEach(() => vi.useRealTimers());

  test('arrives, for the line shows all the time that it is alive', async () => {
    const holding = new Holding();
    const { url, token } = await open(holding.handler);
    let received = '';
    const done = new Promise<void>((resolve, reject) => {
      const sent = request(
        url,
        {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
          },
        },
        (response) => {
          response.on('data', (chunk: Buffer) => (received += chunk.toString()));
          response.on('end', resolve);
          response.on('error', reject);
        },
      );
      sent.on('error', reject);
      const params = {
        name: 'get_weather',
        arguments: { city: 'aa' },
        _meta: { 'claudecode/toolUseId': 'toolu_h' },
      };
      sent.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
    });
    await holding.until(1);
    await vi.advanceTimersByTimeAsync(3 * 3_600_000);
    expect(holding.signals[0]?.aborted).toBe(false);
    holding.answer(0, SUNNY);
    await done;
    expect(received.match(/: keepalive/g)?.length).toBe(3 * 240);
    expect(received).toContain('sunny');
  });
});

describe('a call that the client never hears of', () => {
  test('is one whose input does not follow the schema: the model is told what is wrong', async () => {
    const handler = vi.fn<ToolCallHandler>();
    const tools = await open(handler);
    const client = await connect(tools);
    const result = await call(client, { city: 5 });
    expect(result).toMatchObject({ isError: true });
    expect(JSON.stringify(result.content)).toContain('data/city must be string');
    expect(tools.problemOf('get_weather', { city: 5 })).toContain('data/city must be string');
    expect(tools.problemOf('get_weather', { city: 'x' })).toBeUndefined();
    expect(handler).not.toHaveBeenCalled();
  });

  test('is one of a tool that does not exist, or without the id of the call', async () => {
    const handler = vi.fn<ToolCallHandler>();
    const client = await connect(await open(handler));
    expect(await client.callTool({ name: 'nothing', arguments: {} })).toMatchObject({
      isError: true,
    });
    expect(await client.callTool({ name: 'get_weather', arguments: { city: 'a' } })).toMatchObject({
      isError: true,
    });
    expect(handler).not.toHaveBeenCalled();
  });

  test('is one too many', async () => {
    const holding = new Holding();
    const client = await connect(await open(holding.handler));
    const held = Array.from({ length: MAX_HELD_CALLS }, () => call(client, { city: 'a' }));
    await holding.until(MAX_HELD_CALLS);
    expect(await call(client, { city: 'b' })).toMatchObject({ isError: true });
    for (const index of held.keys()) holding.answer(index, SUNNY);
    await Promise.all(held);
    const more = call(client, { city: 'c' });
    await holding.until(MAX_HELD_CALLS + 1);
    holding.answer(MAX_HELD_CALLS, SUNNY);
    expect(await more).toMatchObject({ isError: false });
  });
});

describe('nobody waits any more', () => {
  test('when the process is gone', async () => {
    const holding = new Holding();
    const client = await connect(await open(holding.handler));
    const held = call(client, { city: 'aa' }).catch(() => {});
    await holding.until(1);
    await client.close();
    await aborted(holding.signals[0]);
    await held;
    expect(holding.calls).toHaveLength(1);
  });

  test('when the process gives the call up, of which another goes on', async () => {
    const holding = new Holding();
    const client = await connect(await open(holding.handler));
    const controller = new AbortController();
    const given = client.callTool(
      {
        name: 'get_weather',
        arguments: { city: 'aa' },
        _meta: { 'claudecode/toolUseId': 'toolu_1' },
      },
      undefined,
      { signal: controller.signal },
    );
    const other = call(client, { city: 'bb' });
    await holding.until(2);
    controller.abort(new Error('not wanted any more'));
    await expect(given).rejects.toThrow('not wanted any more');
    const at = (city: string): number =>
      holding.calls.findIndex(({ input }) => input['city'] === city);
    await aborted(holding.signals[at('aa')]);
    expect(holding.signals[at('bb')]?.aborted).toBe(false);
    holding.answer(at('bb'), SUNNY);
    expect(await other).toMatchObject({ isError: false });
  });

  test('when the tools are closed: what is held ends as a failure, and the token is worth nothing', async () => {
    const holding = new Holding();
    const tools = await open(holding.handler);
    const client = await connect(tools);
    const held = call(client, { city: 'aa' });
    await holding.until(1);
    tools.close();
    tools.close();
    expect(await held).toMatchObject({ isError: true });
    expect(holding.signals[0]?.aborted).toBe(true);
    await expect(client.listTools()).rejects.toMatchObject({ code: 401 });
  });

  test('when the endpoint is closed, which leaves no port open and opens nothing any more', async () => {
    const holding = new Holding();
    const tools = await open(holding.handler);
    const client = await connect(tools);
    const held = call(client, { city: 'aa' }).then(
      () => 'ended',
      () => 'ended',
    );
    await holding.until(1);
    await Promise.all([endpoint.close(), endpoint.close()]);
    expect(holding.signals[0]?.aborted).toBe(true);
    await client.close();
    expect(await held).toBe('ended');
    await expect(ask(tools.url, {})).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await expect(open(holding.handler)).rejects.toMatchObject({
      code: 'session_connection_failed',
    });
  });

  test('when the handler fails, whose reason is not for the model', async () => {
    const client = await connect(await open(() => Promise.reject(new Error('secret detail'))));
    const result = await call(client, { city: 'aa' });
    expect(result).toMatchObject({ isError: true });
    expect(JSON.stringify(result)).not.toContain('secret detail');
  });
});

describe('who may call', () => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
  const json = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
  };

  test('is told by the token, and a wrong one learns nothing', async () => {
    const { url, token } = await open(() => Promise.resolve(SUNNY));
    const right = { ...json, authorization: `Bearer ${token}` };
    expect((await ask(url, { headers: right, body })).status).toBe(200);
    for (const authorization of [undefined, 'Bearer wrong', `Basic ${token}`, `Bearer ${token}x`]) {
      const headers = authorization === undefined ? json : { ...json, authorization };
      expect(await ask(url, { headers, body })).toEqual({ status: 401, body: '' });
      expect(await ask(`${url}/elsewhere`, { headers, body })).toEqual({ status: 401, body: '' });
    }
    expect(Buffer.from(token, 'base64url')).toHaveLength(32);
  });

  test('is nobody by another name than the address, and no page of a browser', async () => {
    const { url, token } = await open(() => Promise.resolve(SUNNY));
    const right = { ...json, authorization: `Bearer ${token}` };
    const { port } = new URL(url);
    for (const wrong of [
      { host: `evil.example:${port}` },
      { host: `localhost:${port}` },
      { host: '127.0.0.1' },
      { origin: 'https://evil.example' },
      { origin: 'null' },
    ]) {
      const headers = { ...right, ...wrong };
      expect(await ask(url, { headers, body })).toEqual({ status: 403, body: '' });
    }
  });

  test('posts, within bounds', async () => {
    const { url, token } = await open(() => Promise.resolve(SUNNY));
    const headers = { ...json, authorization: `Bearer ${token}` };
    expect((await ask(url, { method: 'GET', headers })).status).toBe(405);
    expect((await ask(url.replace('/mcp', '/other'), { headers, body })).status).toBe(404);
    const huge = JSON.stringify({ ...JSON.parse(body), params: { x: 'x'.repeat(9_000_000) } });
    expect((await ask(url, { headers, body: huge })).status).toBe(413);
  });

  test('who asks first for a newer protocol is told at once that there is none', async () => {
    const { url, token } = await open(() => Promise.resolve(SUNNY));
    const headers = {
      ...json,
      authorization: `Bearer ${token}`,
      'mcp-protocol-version': '2026-07-28',
    };
    const discover = JSON.stringify({ jsonrpc: '2.0', id: 'x', method: 'server/discover' });
    const { status, body: answer } = await ask(url, { headers, body: discover });
    expect(status).toBe(400);
    expect(JSON.parse(answer)).toMatchObject({ error: { code: expect.any(Number) } });
  });
});

function problem(inputSchema: Record<string, unknown>): Promise<string | undefined> {
  return endpoint.problemOf({ name: 'a', description: '', inputSchema });
}

function sameId(name: string, type: string): ClientTool {
  const inputSchema = { $id: 'same', type: 'object', properties: { a: { type } } };
  return { name, description: '', inputSchema };
}

describe('a schema', () => {
  test('that is none is told before anybody calls the tool', async () => {
    expect(await problem({ type: 'object', properties: { a: { type: 'wrong' } } })).toContain(
      'wrong',
    );
    expect(
      await problem({ type: 'object', properties: { a: { $ref: 'http://127.0.0.1/x' } } }),
    ).toContain("can't resolve");
  });

  test('may have nulls for what it lacks, definitions of its own, and any dialect', async () => {
    expect(await problem({ type: 'object', properties: null, required: null })).toBeUndefined();
    expect(
      await problem({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        properties: { a: { $ref: '#/$defs/x' } },
        $defs: { x: { type: 'string' } },
      }),
    ).toBeUndefined();
  });

  test('does not run the regular expressions of a client, wherever they stand', async () => {
    const slow = '^(a+)+$';
    const tool = {
      name: 'slow',
      description: '',
      inputSchema: {
        type: 'object',
        properties: {
          a: { anyOf: [{ type: 'string', pattern: slow }] },
          pattern: { type: 'string', enum: ['x'] },
          b: {
            type: 'object',
            patternProperties: { [slow]: { type: 'string' } },
            additionalProperties: false,
          },
        },
        propertyNames: { pattern: slow },
        additionalProperties: false,
      },
    };
    const tools = await open(() => Promise.resolve(SUNNY), [tool]);
    const evil = `${'a'.repeat(26)}!`;
    expect(tools.problemOf('slow', { a: evil, b: { [evil]: 1 } })).toBeUndefined();
    // What is called like a keyword is not one.
    expect(tools.problemOf('slow', { pattern: 'y' })).toContain('data/pattern');
    expect(tools.problemOf('slow', { c: 1 })).toContain('additional properties');
  });

  test('of one tool is not that of another with the same id', async () => {
    const tools = await open(
      () => Promise.resolve(SUNNY),
      [sameId('x', 'string'), sameId('y', 'number')],
    );
    expect(tools.problemOf('x', { a: 'text' })).toBeUndefined();
    expect(tools.problemOf('y', { a: 'text' })).toContain('must be number');
  });
});
