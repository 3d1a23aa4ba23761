import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';

import { nodeVersionProblem } from '../../bin/node-version.js';

const BIN = fileURLToPath(new URL('../../bin/roundhouse.js', import.meta.url));
const HASH = `sha256:${'ab'.repeat(32)}`;

let home: string;
const children = new Set<ChildProcessWithoutNullStreams>();
const servers = new Set<Server>();

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'roundhouse-cli-'));
});

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  servers.clear();
  await rm(home, { recursive: true });
});

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts the program under an environment of its own: nothing of the developer's machine reaches it. */
function start(
  args: readonly string[],
  env: Record<string, string> = {},
): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env['PATH'] ?? '', HOME: home, ...env },
    cwd: home,
  });
  children.add(child);
  return child;
}

async function finish(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  await once(child, 'close');
  return { code: child.exitCode, stdout, stderr };
}

function run(args: readonly string[], env?: Record<string, string>, input = ''): Promise<Outcome> {
  const child = start(args, env);
  child.stdin.end(input);
  return finish(child);
}

/** Waits until the child has written `text`. */
async function untilWritten(child: ChildProcessWithoutNullStreams, text: string): Promise<string> {
  let written = '';
  while (!written.includes(text)) {
    const [chunk] = await once(child.stdout, 'data');
    written += String(chunk);
  }
  return written;
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function send(response: ServerResponse, ...events: readonly { type: string }[]): void {
  for (const event of events)
    response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
}

function begin(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const usage = { input_tokens: 1, output_tokens: 1 };
  const message = {
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    model: 'small',
    content: [],
    stop_reason: null,
    stop_sequence: null,
    usage,
  };
  send(
    response,
    Object.assign({ type: 'message_start' }, { message }),
    Object.assign(
      { type: 'content_block_start' },
      { index: 0, content_block: { type: 'text', text: '' } },
    ),
    Object.assign(
      { type: 'content_block_delta' },
      { index: 0, delta: { type: 'text_delta', text } },
    ),
  );
}

function end(response: ServerResponse): void {
  send(
    response,
    Object.assign({ type: 'content_block_stop' }, { index: 0 }),
    Object.assign(
      { type: 'message_delta' },
      { delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 1 } },
    ),
    { type: 'message_stop' },
  );
  response.end();
}

const ERROR = {
  type: 'error',
  error: { type: 'api_error', message: 'The turn was interrupted.' },
};

describe('the program', () => {
  it('tells its version and its commands', async () => {
    expect(await run(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+/),
    });
    const help = await run([]);
    expect(help.code).toBe(0);
    for (const command of ['serve', 'config', 'chat', 'keys', 'simulator']) {
      expect(help.stdout).toContain(command);
    }
  });

  it('answers an unknown command or flag with a suggestion and exit code 2', async () => {
    const command = await run(['sevre']);
    expect(command).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('serve'),
    });
    const flag = await run(['serve', '--prot', '80']);
    expect(flag).toMatchObject({ code: 2, stderr: expect.stringContaining('--port') });
  });

  it('turns a Node away that is too old, in one sentence', () => {
    for (const old of ['12.22.0', '20.20.2', '22.17.9']) {
      expect(nodeVersionProblem(old)).toMatch(/22\.18 .*`npm start`/);
      expect(nodeVersionProblem(old)).toContain(`Node ${old}:`);
      expect(nodeVersionProblem(old)).not.toContain('\n');
    }
    for (const fine of ['22.18.0', '22.20.1', '24.0.0', '26.1.0'])
      expect(nodeVersionProblem(fine)).toBe('');
  });
});

describe('roundhouse serve', () => {
  it('explains every flag with its variable and its default', async () => {
    const { code, stdout } = await run(['serve', '--help']);
    expect(code).toBe(0);
    const text = stdout.replaceAll(/\s+/g, ' ');
    expect(text).toContain('--max-processes <number>');
    expect(text).toContain('(env: ROUNDHOUSE_SERVER_PORT; default: 8787)');
  });

  it('lists all mistakes of its configuration and ends with 1', async () => {
    await writeFile(join(home, 'bad.yaml'), 'server:\n  prot: 1\n');
    const { code, stderr } = await run(['serve', '--config', 'bad.yaml', '--max-processes', '0'], {
      ROUNDHOUSE_LOG_LEVEL: 'loud',
    });
    expect(code).toBe(1);
    expect(stderr).toContain(
      'bad.yaml:2:3: server.prot: no such setting; did you mean server.port?',
    );
    expect(stderr).toContain('--max-processes: expected a whole number from 1 to 1000, got 0');
    expect(stderr).toContain('ROUNDHOUSE_LOG_LEVEL: expected one of');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('refuses to be open to others without a key', async () => {
    const { code, stderr } = await run(['serve', '--host', '0.0.0.0']);
    expect(code).toBe(1);
    expect(stderr).toContain('roundhouse keys new');
  });
});

describe('roundhouse config', () => {
  it('prints YAML with the origin of each value, without secrets', async () => {
    await writeFile(join(home, 'my.yaml'), `server:\n  keys: [{id: app, hash: "${HASH}"}]\n`);
    const env = { ROUNDHOUSE_CONFIG: 'my.yaml', ANTHROPIC_API_KEY: 'sk-secret' };
    const { code, stdout } = await run(['config', '--port', '0'], env);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}port: 0 +# --port$/m);
    expect(stdout).toMatch(/^ {2}keys: .*app.* # my\.yaml:2:3$/m);
    expect(stdout).toContain(`dataDir: ${home}/.local/share/roundhouse`);
    expect(stdout).toContain('# upstream: anthropic-api-key, ANTHROPIC_API_KEY');
    expect(stdout).not.toMatch(/abab|sk-secret/);
  });

  it('prints JSON as well', async () => {
    const { stdout } = await run(['config', '--json']);
    const { settings, upstream } = z
      .object({ settings: z.array(z.looseObject({ path: z.string() })), upstream: z.unknown() })
      .parse(JSON.parse(stdout));
    expect(settings.find(({ path }) => path === 'server.port')).toEqual({
      path: 'server.port',
      value: 8787,
      origin: { source: 'default', name: 'default' },
    });
    expect(upstream).toEqual({ kind: 'simulator', variables: [] });
  });
});

describe('roundhouse keys new', () => {
  it('prints a new key each time, with the hash that the configuration takes', async () => {
    const [first, second] = await Promise.all([
      run(['keys', 'new', '--id', 'app']),
      run(['keys', 'new']),
    ]);
    const key = /rh_[\w-]{43}/.exec(first.stdout)?.[0] ?? '';
    const snippet = first.stdout.slice(first.stdout.indexOf('\nserver:'));
    expect(snippet).toContain(`sha256:${createHash('sha256').update(key).digest('hex')}`);
    expect(second.stdout).not.toContain(key);
    await writeFile(join(home, 'keys.yaml'), snippet);
    expect((await run(['config', '--config', 'keys.yaml', '--host', '0.0.0.0'])).code).toBe(0);
  });

  it('refuses an id that the configuration would refuse', async () => {
    expect(await run(['keys', 'new', '--id', 'a b'])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('roundhouse simulator', () => {
  it('listens until a signal comes, and says in one sentence that its port is in use', async () => {
    const child = start(['simulator', '--port', '0']);
    const url = /http:\/\/127\.0\.0\.1:(\d+)/.exec(await untilWritten(child, 'Try:'));
    const port = url?.[1] ?? '';
    const second = await run(['simulator', '--port', port]);
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(second.stderr).toMatch(
      new RegExp(`^Port ${port} of 127\\.0\\.0\\.1 is in use: .*--port.*\\n$`),
    );
    const ended = finish(child);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
  });
});

describe('roundhouse chat', () => {
  type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;
  interface FakeServer {
    readonly url: string;
    readonly requests: readonly { path: string; key: unknown; text: string }[];
  }

  /** A server that lists one model and leaves the rest to the test. */
  async function fake(handler: Handler): Promise<FakeServer> {
    const requests: { path: string; key: unknown; text: string }[] = [];
    const server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        requests.push({
          path: request.url ?? '',
          key:
            request.headers['x-api-key'] ?? request.headers.authorization?.replace(/^Bearer /, ''),
          text: body,
        });
        if (request.url?.startsWith('/v1/models') === true) {
          const model = { type: 'model', id: 'small', display_name: 'Small', created_at: '' };
          json(response, 200, {
            data: [model],
            has_more: false,
            first_id: 'small',
            last_id: 'small',
          });
        } else handler(request, response, body);
      });
    });
    servers.add(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return { url: `http://127.0.0.1:${port}`, requests };
  }

  it('takes each line of a pipe for a prompt of one session, and ends with the input', async () => {
    let count = 0;
    const server = await fake((_request, response) => {
      count += 1;
      begin(response, `answer ${count}`);
      end(response);
    });
    const env = {
      ANTHROPIC_API_KEY: 'sk-mine',
      ANTHROPIC_CUSTOM_HEADERS: 'x-mine: 1\nAuthorization: Bearer mine',
    };
    const args = ['chat', '--url', server.url, '--session', 'demo', '--key', 'rh_k'];
    const { code, stdout, stderr } = await run(args, env, 'one\n\ntwo\n/exit\nthree\n');
    expect({ code, stdout, stderr }).toEqual({
      code: 0,
      stdout: 'answer 1\nanswer 2\n',
      stderr: '',
    });
    expect(server.requests.map(({ path }) => path)).toEqual([
      '/v1/models',
      '/sessions/demo/v1/messages',
      '/sessions/demo/v1/messages',
    ]);
    expect(server.requests.every(({ key }) => key === 'rh_k')).toBe(true);
    expect(JSON.parse(server.requests[1]?.text ?? '')).toMatchObject({
      model: 'small',
      stream: true,
      messages: [{ role: 'user', content: 'one' }],
    });
  });

  it('interrupts the turn at the first Ctrl-C and goes on; at the empty prompt it leaves', async () => {
    let hanging: ServerResponse | undefined;
    const server = await fake((request, response) => {
      if (request.url === '/sessions/demo/interrupt') {
        json(response, 200, {});
        if (hanging !== undefined) send(hanging, ERROR);
        hanging?.end();
        return;
      }
      begin(response, hanging === undefined ? 'long' : 'after');
      if (hanging === undefined) hanging = response;
      else end(response);
    });
    const child = start(['chat', '--url', server.url, '--session', 'demo']);
    child.stdin.write('go on\n');
    await untilWritten(child, 'long');
    child.kill('SIGINT');
    await untilWritten(child, '[interrupted]');
    child.stdin.write('again\n');
    await untilWritten(child, 'after\n');
    const ended = finish(child);
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
    expect(server.requests.some(({ path }) => path === '/sessions/demo/interrupt')).toBe(true);
  });

  it('leaves at the second Ctrl-C, also when the turn does not end', async () => {
    const server = await fake((request, response) => {
      if (request.url?.endsWith('/interrupt') === true) json(response, 200, {});
      else begin(response, 'long');
    });
    const child = start(['chat', '--url', server.url, '--session', 'demo']);
    child.stdin.write('go on\n');
    await untilWritten(child, 'long');
    child.kill('SIGINT');
    await expect
      .poll(() => server.requests.some(({ path }) => path.endsWith('/interrupt')))
      .toBe(true);
    const ended = finish(child);
    child.kill('SIGINT');
    expect((await ended).code).toBe(0);
  });

  it('shows the message of a failed turn, goes on, and ends with 1', async () => {
    let count = 0;
    const server = await fake((_request, response) => {
      count += 1;
      if (count === 1)
        return json(response, 400, {
          type: 'error',
          error: { type: 'invalid_request_error', message: 'Too long.' },
        });
      begin(response, 'fine');
      return end(response);
    });
    const { code, stdout, stderr } = await run(
      ['chat', '--url', server.url, '--session', 'demo'],
      {},
      'one\ntwo\n',
    );
    expect(code).toBe(1);
    expect(stderr.trim()).toBe('Too long.');
    expect(stdout.trim()).toBe('fine');
  });

  it('says how to start a server when there is none, and asks for a key when one is wanted', async () => {
    const nobody = await run(['chat', '--url', 'http://127.0.0.1:9'], {}, 'hello\n');
    expect(nobody.code).toBe(1);
    expect(nobody.stderr).toMatch(
      /^No server answers at http:\/\/127\.0\.0\.1:9: start one with `npm start`/,
    );
    const closed = createServer((_request, response) =>
      json(response, 401, {
        type: 'error',
        error: { type: 'authentication_error', message: 'No.' },
      }),
    );
    servers.add(closed);
    closed.listen(0, '127.0.0.1');
    await once(closed, 'listening');
    const address = closed.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const refused = await run(['chat', '--url', `http://127.0.0.1:${port}`], {}, 'hello\n');
    expect(refused).toMatchObject({
      code: 1,
      stderr: 'No. Name a key of the server with --key or ROUNDHOUSE_KEY.\n',
    });
  });
});
