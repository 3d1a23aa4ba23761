import { beforeEach, describe, expect, it } from 'vitest';
import { asks, idle, oneSessionApi, PROMPT, says, SEND } from '../support/one-session-api.ts';
import {
  wireError,
  type OpenStream,
  type SentRequest,
  type SessionApi,
} from '../support/session-api.ts';
import { CommandHere, runHere } from '../support/run-here.ts';

let api: SessionApi;

beforeEach(async () => {
  api = await oneSessionApi();
});

function run(...args: readonly string[]): CommandHere {
  return new CommandHere(['run', ...args, '--url', api.url]);
}

/** The stream of a turn that has begun. */
async function begun(): Promise<OpenStream> {
  const stream = await api.stream(1);
  await api.sent(SEND, 'user.message');
  stream.send(PROMPT, { type: 'session.status_running', id: 'running' });
  return stream;
}

function delta(text: string) {
  const content = { type: 'text', text };
  return Object.assign(
    { type: 'event_delta' },
    { event_id: 'a', delta: { type: 'content_delta', content } },
  );
}

const START = Object.assign({ type: 'event_start' }, { event: { type: 'agent.message', id: 'a' } });

const message = (text: string) => says('a', text);
const because = (type: string) => idle('idle', { type });
const ASKED = asks('call', 'write', { file_path: '/etc/passwd' });
const WAITS = idle('idle', { type: 'requires_action', event_ids: ['call'] });

function sentTo(route: string): unknown[] {
  return api.requests.flatMap(({ method, path, body }) =>
    `${method} ${path}` === route ? [body] : [],
  );
}

function makesSession({ method, path }: SentRequest): boolean {
  return `${method} ${path}` === 'POST /v1/sessions';
}

describe('roundhouse run', () => {
  it('writes the answer as it comes, and nothing else, and leaves no session behind', async () => {
    const running = run('Hello');
    const stream = await begun();
    stream.send(START, delta('Hel'));
    await running.until('Hel');
    expect(running.stdout).toBe('Hel');
    stream.send(delta('lo'), message('Hello'), because('end_turn'));
    expect(await running.ended).toEqual({ code: 0, stdout: 'Hello\n', stderr: '' });
    expect(sentTo('DELETE /v1/sessions/sesn_1')).toHaveLength(1);
    expect(sentTo(SEND)).toEqual([
      { events: [{ type: 'user.message', content: [{ type: 'text', text: 'Hello' }] }] },
    ]);
  });

  it('reads the prompt from stdin, and wants one', async () => {
    const piped = new CommandHere(['run', '--url', api.url], { input: 'from a pipe\n' });
    const stream = await begun();
    stream.send(because('end_turn'));
    expect((await piped.ended).code).toBe(0);
    expect(JSON.stringify(sentTo(SEND))).toContain('from a pipe');
    expect(await runHere(['run', '--url', api.url])).toMatchObject({ code: 2, stdout: '' });
  });

  it('makes an agent and an environment once, and finds them again by their mark', async () => {
    for (const stream of [1, 2]) {
      const running = run('Hello', '--system', 'Short.', '--tools', 'read');
      const opened = await api.stream(stream);
      await expect.poll(() => sentTo(SEND)).toHaveLength(stream);
      opened.send(PROMPT, { type: 'session.status_running', id: 'r' }, because('end_turn'));
      expect((await running.ended).code).toBe(0);
      const [agent] = sentTo('POST /v1/agents');
      const [environment] = sentTo('POST /v1/environments');
      const made = [
        { id: 'agent_0', metadata: {} },
        { id: 'agent_1', ...Object(agent) },
      ];
      api.answer('GET /v1/agents', { data: made, next_page: null });
      const data = [{ id: 'env_1', ...Object(environment) }];
      api.answer('GET /v1/environments', { data, next_page: null });
    }
    expect(sentTo('POST /v1/agents')).toHaveLength(1);
    expect(sentTo('POST /v1/environments')).toHaveLength(1);
    expect(sentTo('POST /v1/sessions')[1]).toMatchObject({
      agent: { type: 'agent_with_overrides', id: 'agent_1', system: 'Short.', model: 'sonnet' },
      environment_id: 'env_1',
    });
  });

  it('tells with its exit code how the turn ended, and says so on stderr', async () => {
    const error = Object.assign(
      { type: 'session.error', id: 'e' },
      { error: { type: 'unknown_error', message: 'Broken.' } },
    );
    const interrupt = { type: 'user.interrupt', id: 'i' };
    const cases = [
      [[error, because('retries_exhausted')], 3, 'The turn failed: Broken.\n'],
      [[because('refusal')], 4, 'The model refused.\n'],
      [[interrupt, because('end_turn')], 5, 'Interrupted.\n'],
      [
        [ASKED, WAITS],
        6,
        /\nThe turn waits for an answer that nobody can give here: write\nWith --keep .+\n$/,
      ],
      [[because('budget_reached')], 7, 'The budget of the session is used up.\n'],
    ] as const;
    for (const [index, [events, code, words]] of cases.entries()) {
      const running = run('Hello');
      const stream = await api.stream(index + 1);
      await expect.poll(() => sentTo(SEND)).toHaveLength(index + 1);
      stream.send(PROMPT, { type: 'session.status_running', id: 'r' }, ...events);
      const ended = await running.ended;
      expect({ code: ended.code, stdout: ended.stdout }).toEqual({ code, stdout: '' });
      expect(ended.stderr).toMatch(words);
      expect(sentTo('DELETE /v1/sessions/sesn_1')).toHaveLength(index + 1);
    }
  });

  it.each([
    ['run', ['run', 'Hello']],
    ['sessions create', ['sessions', 'create', '--agent', 'agent_1', '--environment', 'env_1']],
  ])('waits longer for a session than the server does for its clone: %s', async (_name, args) => {
    const running = new CommandHere([...args, '--url', api.url]);
    await expect.poll(() => api.requests.find(makesSession)?.timeoutSeconds).toBeGreaterThan(120);
    if (args[0] === 'run') (await begun()).send(because('end_turn'));
    expect(await running.ended).toMatchObject({ code: 0 });
  });

  it('prints one JSON document with --json', async () => {
    const running = run('Hello', '--json', '--keep');
    const stream = await begun();
    stream.send(START, delta('He'), message('Hello'), because('end_turn'));
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      outcome: 'end_turn',
      message: null,
      text: 'Hello\n',
      session_id: 'sesn_1',
      kept: true,
    });
    expect(stderr).toContain(
      `To go on with it: npm run chat -- --session sesn_1 --url ${api.url}\n`,
    );
    expect(sentTo('DELETE /v1/sessions/sesn_1')).toEqual([]);
  });

  it.each([
    ['a yes', 'y\r', 0, ['allow']],
    ['Ctrl-D, which is no answer', '\u0004', 6, []],
  ])('asks the person at a terminal, and takes %s', async (_what, keys, code, results) => {
    const args = ['run', 'Hello', '--url', api.url];
    const running = new CommandHere(args, { terminal: true });
    const stream = await begun();
    stream.send(ASKED, WAITS);
    await running.until('Allow it?');
    expect(running.stderr).toContain('file_path: /etc/passwd');
    running.type(keys);
    if (code === 0) {
      await api.sent(SEND, 'user.tool_confirmation');
      stream.send(idle('end', { type: 'end_turn' }));
    }
    expect(await running.ended).toMatchObject({ code, stdout: '' });
    const sent = api.requests.flatMap(({ body }) => Object(body).events ?? []);
    expect(sent.flatMap((event: unknown) => Object(event).result ?? [])).toEqual(results);
  });

  it('interrupts the turn at Ctrl-C, and ends when it has ended', async () => {
    const running = run('Hello');
    const stream = await begun();
    stream.send(START, delta('Hel'));
    await running.until('Hel');
    running.interrupt();
    await api.sent(SEND, 'user.interrupt');
    stream.send({ type: 'user.interrupt', id: 'i' }, because('end_turn'));
    expect(await running.ended).toMatchObject({ code: 5 });
    expect(sentTo('DELETE /v1/sessions/sesn_1')).toHaveLength(1);
  });

  it('leaves at the second Ctrl-C, and takes the session along', async () => {
    const running = run('Hello');
    const stream = await begun();
    stream.send(START, delta('Hel'));
    await running.until('Hel');
    running.interrupt();
    running.interrupt();
    expect(await running.ended).toMatchObject({ code: 130 });
    expect(sentTo('DELETE /v1/sessions/sesn_1')).toHaveLength(1);
  });

  it.each(['GET /v1/models', 'POST /v1/agents', 'POST /v1/environments', 'POST /v1/sessions'])(
    'leaves at Ctrl-C while its session is made, at %s, and lets the server know',
    async (route) => {
      const left = api.hold(route);
      const running = run('Hello');
      await expect.poll(() => sentTo(route)).toHaveLength(1);
      running.interrupt();
      await left;
      expect(await running.ended).toEqual({ code: 130, stdout: '', stderr: '' });
      expect(sentTo(SEND)).toEqual([]);
    },
  );

  it('follows its turn over a connection that breaks, and writes nothing twice', async () => {
    const running = run('Hello');
    const stream = await begun();
    stream.send(START, delta('Hello'));
    await running.until('Hello');
    stream.cut();
    const again = await api.stream(2);
    expect(again.lastEventId).toBe('running');
    again.send(START, delta('Hello, y'), message('Hello, you'), because('end_turn'));
    expect(await running.ended).toMatchObject({ code: 0, stdout: 'Hello, you\n' });
  });

  it('goes on behind its prompt where the connection broke before anything was heard', async () => {
    const running = run('Hello');
    const stream = await api.stream(1);
    await api.sent(SEND, 'user.message');
    stream.end();
    const again = await api.stream(2);
    expect(again.lastEventId).toBe('prompt');
    const rest = [{ type: 'session.status_running', id: 'r' }, message('x')];
    again.send(...rest, because('end_turn'));
    expect(await running.ended).toMatchObject({ code: 0, stdout: 'x\n' });
  });

  it('runs in a session that there is, and leaves it there', async () => {
    const running = run('Hello', '--session', 'sesn_1');
    const stream = await begun();
    stream.send(message('x'), because('end_turn'));
    expect(await running.ended).toMatchObject({ code: 0, stdout: 'x\n' });
    expect(sentTo('POST /v1/sessions')).toEqual([]);
    expect(sentTo('DELETE /v1/sessions/sesn_1')).toEqual([]);
    const wrong = await run('Hello', '--session', 'sesn_1', '--agent', 'a', '--keep').ended;
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--agent, --keep') });
  });

  it('ends with 1 when a request fails, and still takes its session along', async () => {
    api.answer(SEND, wireError('invalid_request_error', 'Not so.'), 400);
    expect(await run('Hello').ended).toEqual({ code: 1, stdout: '', stderr: 'Not so.\n' });
    expect(sentTo('DELETE /v1/sessions/sesn_1')).toHaveLength(1);
    api.answer('POST /v1/sessions', wireError('invalid_request_error', 'No session.'), 400);
    expect(await run('Hello').ended).toEqual({ code: 1, stdout: '', stderr: 'No session.\n' });
  });
});
