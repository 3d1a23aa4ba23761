import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { text as textOfStream } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';

import { startSimulator, type Simulator } from '../../src/simulator/simulator.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { officialClient, prompt } from '../support/official-client.ts';
import { BIN, ServerFixture } from '../support/server-fixture.ts';

let simulator: Simulator;
let server: ServerFixture;

beforeAll(async () => {
  simulator = await startSimulator();
  server = await ServerFixture.start({ upstream: simulator });
});

afterAll(async () => {
  await server?.end();
  await simulator?.close();
});

const errorSchema = z.object({
  type: z.literal('error'),
  error: z.object({ type: z.string(), message: z.string() }),
  request_id: z.string().startsWith('req_'),
});

interface Refusal {
  readonly status: number;
  readonly type: string;
  readonly message: string;
}

const GOOD = { model: 'sonnet', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] };

async function post(path: string, body: string): Promise<Refusal> {
  const response = await fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return refusalOf(response);
}

async function refusalOf(response: Response): Promise<Refusal> {
  const { error } = errorSchema.parse(await response.json());
  return { status: response.status, ...error };
}

describe('a request', () => {
  test.each<[string, unknown, number, RegExp]>([
    ['broken JSON', '{"model":', 400, /JSON/i],
    ['a body that is no object', '[]', 400, /object/],
    ['no body', '', 400, /body/i],
    ['messages of the wrong type', { ...GOOD, messages: 'Hi' }, 400, /messages/],
    ['no messages', { ...GOOD, messages: [] }, 400, /messages.*at least one/],
    ['a number for the model', { ...GOOD, model: 7 }, 400, /model/],
    ['text for max_tokens', { ...GOOD, max_tokens: 'many' }, 400, /max_tokens/],
    [
      'a role that does not exist',
      { ...GOOD, messages: [{ role: 'me', content: '' }] },
      400,
      /role/,
    ],
    ['an unknown field', { ...GOOD, colour: 'red' }, 400, /colour/],
    ['an unknown model', { ...GOOD, model: 'gpt-4' }, 404, /model.*expected one of.*gpt-4/],
    [
      'an empty prompt',
      { ...GOOD, messages: [{ role: 'user', content: '' }] },
      400,
      /content|empty|prompt/,
    ],
    [
      'an empty list of blocks',
      { ...GOOD, messages: [{ role: 'user', content: [] }] },
      400,
      /content|empty|prompt/,
    ],
    [
      'a prefill',
      { ...GOOD, messages: [...GOOD.messages, { role: 'assistant', content: 'I' }] },
      400,
      /prefill/,
    ],
    ['a temperature', { ...GOOD, temperature: 1 }, 400, /temperature/],
  ])('with %s is refused and says what was expected', async (_, body, status, message) => {
    const refusal = await post(
      '/v1/messages',
      typeof body === 'string' ? body : JSON.stringify(body),
    );
    expect(refusal).toEqual({
      status,
      type: status === 404 ? 'not_found_error' : 'invalid_request_error',
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ['a slash', 'a%2Fb'],
    ['a backslash', 'a%5Cb'],
    ['a step up', '..%2F..%2Fetc'],
    ['too many characters', 'x'.repeat(129)],
    ['far too many characters', 'x'.repeat(5_000)],
    ['a NUL', 'a%00b'],
    ['a dot in front', '.hidden'],
    ['a character of two bytes', 'caf%C3%A9'],
  ])('whose session id has %s is refused on every route', async (_, id) => {
    const ways = [
      post(`/sessions/${id}/v1/messages`, JSON.stringify(GOOD)),
      fetch(`${server.url}/sessions/${id}`).then(refusalOf),
      fetch(`${server.url}/sessions/${id}/events`).then(refusalOf),
      fetch(`${server.url}/sessions/${id}`, { method: 'DELETE' }).then(refusalOf),
    ];
    for (const refusal of await Promise.all(ways)) {
      expect([400, 404, 414]).toContain(refusal.status);
      expect(refusal.message.length).toBeLessThan(600);
    }
    expect((await ways[0])?.status).toBe(id.length > 2_048 ? 414 : 400);
  });

  test('that names two sessions is refused', async () => {
    const client = officialClient(`${server.url}/sessions/one`, { session: 'two' });
    await expect(client.messages.create(prompt('Hi'))).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining('one session'),
    });
  });

  test('of 50 MB is refused with 413 each time, although it is still being sent', async () => {
    const client = officialClient(server.url);
    const params = prompt('x'.repeat(50_000_000));
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(client.messages.create(params)).rejects.toMatchObject({
        status: 413,
        type: 'request_too_large',
      });
    }
  });

  test('for another host, or from another site’s page, is refused with 403', async () => {
    for (const headers of [{ host: 'evil.example' }, { origin: 'https://evil.example' }]) {
      const request = httpRequest(`${server.url}/v1/messages`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
      });
      request.end(JSON.stringify(GOOD));
      const [response] = await once(request, 'response');
      expect(response.statusCode).toBe(403);
      expect(errorSchema.parse(JSON.parse(await textOfStream(response))).error.type).toBe(
        'permission_error',
      );
    }
  });

  test('for what is not there is a 404 in the same shape', async () => {
    for (const path of [
      '/nothing',
      '/sessions/unknown',
      '/sessions/unknown/events',
      '/v1/models/gpt',
    ])
      expect(await refusalOf(await fetch(server.url + path))).toMatchObject({
        status: 404,
        type: 'not_found_error',
      });
    const interrupted = await fetch(`${server.url}/sessions/unknown/interrupt`, { method: 'POST' });
    expect(await refusalOf(interrupted)).toMatchObject({ status: 404 });
  });

  test('none of them has started a process or made a session', async () => {
    expect(server.agentsAlive()).toBe(0);
    expect(await server.folders()).toEqual([]);
    expect(server.rows()['sessions']).toBe(0);
    expect(server.log.lines.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('the model API', () => {
  test('that refuses the server’s key is an authentication error in seconds, before the first byte', async () => {
    const strict = await startSimulator({ apiKey: 'right' });
    const refused = await ServerFixture.start({ upstream: { url: strict.url, key: 'wrong-key' } });
    onTestFinished(async () => {
      await refused.end();
      await strict.close();
    });
    const sinceMs = monotonicMs();
    const response = await fetch(`${refused.url}/v1/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...GOOD, stream: true }),
    });
    expect(await refusalOf(response)).toMatchObject({ status: 401, type: 'authentication_error' });
    expect(response.headers.get('x-should-retry')).toBe('false');
    expect(monotonicMs() - sinceMs).toBeLessThan(5_000);
    expect(JSON.stringify(refused.log.lines)).not.toContain('wrong-key');
  });

  test('that cannot be reached is a 502 after the retries', async () => {
    const nowhere = await ServerFixture.start({
      upstream: { url: 'http://127.0.0.1:9' },
      env: { ROUNDHOUSE_AGENT_MAX_RETRIES: '0' },
    });
    onTestFinished(() => nowhere.end());
    const client = officialClient(nowhere.url, { session: 's' });
    await expect(client.messages.create(prompt('Hi'))).rejects.toMatchObject({
      status: 502,
      type: 'api_error',
    });
  });
});

describe('a start of the server', () => {
  test('on a port that is taken ends with 1 and one sentence, and leaves nothing alive', async () => {
    const { port } = new URL(server.url);
    const outcome = await serve(['--port', port, '--data-dir', join(server.root, 'other')]);
    expect(outcome.code).toBe(1);
    expect(outcome.stdout).toBe('');
    expect(sentenceOf(outcome)).toContain(`Port ${port} of 127.0.0.1 is in use`);
  });

  test('on a data directory that another server uses ends with 1 and says who', async () => {
    const outcome = await serve(['--port', '0', '--data-dir', server.dataDir]);
    expect(outcome.code).toBe(1);
    expect(sentenceOf(outcome)).toContain(`process ${server.pid}`);
    expect((await fetch(`${server.url}/health/ready`)).status).toBe(200);
  });

  test('on a data directory that can’t be made ends with 1 and one sentence', async () => {
    const file = join(server.root, 'file');
    await writeFile(file, '');
    const outcome = await serve(['--port', '0', '--data-dir', join(file, 'data')]);
    expect(outcome.code).toBe(1);
    expect(sentenceOf(outcome)).toContain(join(file, 'data'));
    expect(sentenceOf(outcome)).toContain('is a file, not a folder');
  });

  test('with a flag, a setting or a variable that does not exist says which one was meant', async () => {
    const flag = await serve(['--prot', '80']);
    expect(flag).toMatchObject({ code: 2, stderr: expect.stringContaining('--port') });
    const variable = await serve([], { ROUNDHOUSE_SERVER_PROT: '80' });
    expect(variable).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('did you mean ROUNDHOUSE_SERVER_PORT'),
    });
  });

  test('with mistakes in the file lists them all with their lines', async () => {
    const path = join(server.root, 'bad.yaml');
    await writeFile(path, 'server:\n  port: eighty\npool:\n  maxProcesses: 0\n  maxProceses: 3\n');
    const mistakes = await serve(['--config', path]);
    expect(mistakes.code).toBe(1);
    for (const place of [`${path}:2:`, `${path}:4:`, `${path}:5:`])
      expect(mistakes.stderr).toContain(place);

    await writeFile(path, 'server:\n  port: 1\n   host: x\n');
    const broken = await serve(['--config', path]);
    expect(broken.code).toBe(1);
    expect(broken.stderr).toMatch(/bad\.yaml:[23]:/);
  });

  test('without a Claude Code executable is possible; the first prompt names what is missing', async () => {
    const missing = await ServerFixture.start({
      upstream: simulator,
      env: { ROUNDHOUSE_AGENT_EXECUTABLE: '/nonexistent/claude' },
    });
    onTestFinished(() => missing.end());
    const client = officialClient(missing.url, { session: 's', maxRetries: 2 });
    const sinceMs = monotonicMs();
    await expect(client.messages.create(prompt('Hi'))).rejects.toMatchObject({
      status: 500,
      message: expect.stringMatching(/\/nonexistent\/claude.*agent\.executable/s),
    });
    expect(monotonicMs() - sinceMs).toBeLessThan(2_000);
  });

  test('without credentials uses the simulator and says so, with commands to try', async () => {
    const bare = await ServerFixture.start();
    onTestFinished(() => bare.end());
    const banner = bare.output.join('\n');
    expect(banner).toContain('answers come from the embedded simulator, not from a model');
    expect(banner.match(/^ {2}(curl|npm|npx|roundhouse) /gm)).toHaveLength(3);
    const answer = await officialClient(bare.url).messages.create(prompt('Hello'));
    expect(JSON.stringify(answer.content)).toContain('You said');
  });
});

interface Outcome {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

async function serve(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  const child = spawn(process.execPath, [BIN, 'serve', ...args], {
    env: { ...server.environment, ...env },
    cwd: server.root,
  });
  const [stdout, stderr, [code]] = await Promise.all([
    textOfStream(child.stdout),
    textOfStream(child.stderr),
    once(child, 'close'),
  ]);
  return { code, stdout, stderr };
}

/** What a person sees: no log lines, no stack. */
function sentenceOf({ stderr }: Outcome): string {
  expect(stderr).not.toMatch(/^\s+at /m);
  const lines = stderr
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('{'));
  expect(lines).toHaveLength(1);
  return lines[0] ?? '';
}
