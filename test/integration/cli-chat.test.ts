import { beforeEach, describe, expect, it } from 'vitest';
import { asks, EVENTS, idle, oneSessionApi, PROMPT, says } from '../support/one-session-api.ts';
import { wireError, type OpenStream, type SessionApi } from '../support/session-api.ts';
import { CommandHere } from '../support/run-here.ts';

const ENTER = '\r';
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

let api: SessionApi;

beforeEach(async () => {
  api = await oneSessionApi();
});

function chat(options: { terminal?: boolean; input?: string }, ...args: string[]): CommandHere {
  return new CommandHere(['chat', ...args, '--url', api.url], options);
}

async function begun(number = 1): Promise<OpenStream> {
  const stream = await api.stream(number);
  await expect.poll(() => sent('user.message')).toHaveLength(number);
  stream.send(PROMPT, { type: 'session.status_running', id: `running ${number}` });
  return stream;
}

function sent(type: string): unknown[] {
  return api.requests
    .flatMap(({ body }) => Object(body).events ?? [])
    .filter((event: unknown) => Object(event).type === type);
}

const waits = (...event_ids: string[]) => idle('waits', { type: 'requires_action', event_ids });
const END = idle('end', { type: 'end_turn' });
const ANSWER = says('m', 'Written.');

describe('a chat on a terminal', () => {
  it('shows a call that waits with its input, and sends the leave that it is given', async () => {
    const chatting = chat({ terminal: true });
    await chatting.until('> ');
    chatting.type(`Write it${ENTER}`);
    const stream = await begun();
    stream.send(asks('c1', 'write', { file_path: '/a', content: 'two\nlines \u001b[2J' }));
    stream.send(waits('c1'));
    await chatting.until('Allow it?');
    expect(chatting.stdout).toContain('The agent wants to use write:\n  file_path: /a\n');
    expect(chatting.stdout).not.toContain('\u001b[2J');
    expect(sent('user.tool_confirmation')).toEqual([]);
    chatting.type(`maybe${ENTER}`);
    await expect.poll(() => chatting.stdout.split('Allow it?')).toHaveLength(3);
    chatting.type(`y${ENTER}`);
    await expect
      .poll(() => sent('user.tool_confirmation'))
      .toEqual([{ type: 'user.tool_confirmation', tool_use_id: 'c1', result: 'allow' }]);
    stream.send(ANSWER, END);
    await chatting.until('Written.');
    chatting.type(`/exit${ENTER}`);
    expect(await chatting.ended).toMatchObject({ code: 0 });
  });

  it('denies with the message that it is given, each call of several', async () => {
    const chatting = chat({ terminal: true });
    await chatting.until('> ');
    chatting.type(`Go${ENTER}`);
    const stream = await begun();
    stream.send(asks('c1', 'bash', { command: 'ls' }), asks('c2', 'bash', { command: 'rm' }));
    stream.send(waits('c1', 'c2'));
    await chatting.until('Allow it?');
    expect(chatting.stdout).toContain('command: ls');
    chatting.type(`y${ENTER}`);
    await expect.poll(() => chatting.stdout.split('Allow it?')).toHaveLength(3);
    expect(chatting.stdout).toContain('command: rm');
    chatting.type(`no, not that${ENTER}`);
    await expect
      .poll(() => sent('user.tool_confirmation'))
      .toEqual([
        { type: 'user.tool_confirmation', tool_use_id: 'c1', result: 'allow' },
        {
          type: 'user.tool_confirmation',
          tool_use_id: 'c2',
          result: 'deny',
          deny_message: 'not that',
        },
      ]);
    stream.send(END);
    chatting.type(`/exit${ENTER}`);
    expect(await chatting.ended).toMatchObject({ code: 0 });
  });

  it('interrupts the turn at Ctrl-C in a question, gives no leave, and goes on', async () => {
    const chatting = chat({ terminal: true });
    await chatting.until('> ');
    chatting.type(`Go${ENTER}`);
    const stream = await begun();
    stream.send(asks('c1', 'bash', { command: 'ls' }), waits('c1'));
    await chatting.until('Allow it?');
    chatting.type(CTRL_C);
    await chatting.until('[interrupted]');
    expect(sent('user.interrupt')).toHaveLength(1);
    expect(sent('user.tool_confirmation')).toEqual([]);
    chatting.type(`/exit${ENTER}`);
    expect(await chatting.ended).toMatchObject({ code: 0 });
  });

  it.each([
    ['Ctrl-D', (chatting: CommandHere) => chatting.type(CTRL_D)],
    ['the end of the input', (chatting: CommandHere) => chatting.endInput()],
  ])('leaves at %s in a question, and the call waits on', async (_what, end) => {
    const chatting = chat({ terminal: true });
    await chatting.until('> ');
    chatting.type(`Go${ENTER}`);
    const stream = await begun();
    stream.send(asks('c1', 'bash', { command: 'ls' }), waits('c1'));
    await chatting.until('Allow it?');
    end(chatting);
    const { code, stdout, stderr } = await chatting.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.not.stringContaining('failed') });
    expect(stdout).toContain('To go on with it: --session sesn_1');
    expect(stdout).not.toContain('[interrupted]');
    expect(sent('user.tool_confirmation')).toEqual([]);
    expect(sent('user.interrupt')).toEqual([]);
  });

  it('takes up a turn that waits for it', async () => {
    const last = { ...waits('c1'), id: 'last' };
    api.answer(`GET ${EVENTS}`, {
      data: [last, asks('c1', 'bash', { command: 'ls' })],
      next_page: null,
    });
    const chatting = chat({ terminal: true }, '--session', 'sesn_1');
    await chatting.until('Allow it?');
    expect(chatting.stdout).toContain('command: ls');
    chatting.type(`y${ENTER}`);
    const stream = await api.stream(1);
    expect(stream.lastEventId).toBe('last');
    await expect.poll(() => sent('user.tool_confirmation')).toHaveLength(1);
    stream.send(ANSWER, END);
    await chatting.until('Written.');
    chatting.type(`/exit${ENTER}`);
    expect(await chatting.ended).toMatchObject({ code: 0 });
  });
});

describe('a chat whose prompts come through a pipe', () => {
  it('denies what needs leave, with a message that says why, and takes no prompt for an answer', async () => {
    const chatting = chat({ input: 'Go\ny\n' });
    const stream = await begun();
    stream.send(asks('c1', 'bash', { command: 'ls' }), waits('c1'));
    await expect
      .poll(() => sent('user.tool_confirmation'))
      .toEqual([
        {
          type: 'user.tool_confirmation',
          tool_use_id: 'c1',
          result: 'deny',
          deny_message: expect.stringContaining('Nobody'),
        },
      ]);
    stream.send(ANSWER, END);
    (await begun(2)).send({ ...ANSWER, id: 'm2' }, END);
    const { code, stdout } = await chatting.ended;
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'Written.\nWritten.\n' });
    expect(sent('user.message')).toHaveLength(2);
  });

  it('has no tools where the server refuses them', async () => {
    const refusal = wireError('invalid_request_error', 'The tools are switched off.');
    const chatting = chat({ input: '' });
    api.answerOnce('POST /v1/sessions', refusal, 400);
    expect(await chatting.ended).toMatchObject({ code: 0, stderr: '' });
    const bodies = api.requests.filter(
      ({ method, path }) => `${method} ${path}` === 'POST /v1/sessions',
    );
    expect(bodies.map(({ body }) => 'tools' in Object(body).agent)).toEqual([true, false]);
  });

  it('says what a session by id or by name has already', async () => {
    for (const args of [
      ['--session', 'sesn_1', '--model', 'x'],
      ['--session', 'demo', '--agent', 'x'],
    ]) {
      expect(await chat({ input: '' }, ...args).ended).toMatchObject({ code: 2, stdout: '' });
    }
  });
});
