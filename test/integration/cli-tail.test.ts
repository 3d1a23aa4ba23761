import { beforeEach, describe, expect, it } from 'vitest';
import { SessionApi, wireError, type OpenStream } from '../support/session-api.ts';
import { CommandHere } from '../support/run-here.ts';

const AT = '2026-01-01T12:34:56.000Z';
const TAIL = '/v1/sessions/sesn_1/events/stream';

let api: SessionApi;

beforeEach(async () => {
  api = await SessionApi.start();
  api.answer('GET /v1/sessions/sesn_1/events', { data: [], next_page: null });
});

function tail(...flags: readonly string[]): CommandHere {
  return new CommandHere(['sessions', 'tail', 'sesn_1', '--url', api.url, ...flags]);
}

function message(id: string, text = id) {
  return { type: 'agent.message', id, processed_at: AT, content: [{ type: 'text', text }] };
}

/** Breaks a connection that the command has been heard on. */
async function breakOff(running: CommandHere, stream: OpenStream): Promise<void> {
  stream.send(message('heard'));
  await running.until('heard');
  stream.cut();
}

const DELETED = { type: 'session.deleted', id: 'gone', processed_at: AT };

function idsIn(lines: string): unknown[] {
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => Object(JSON.parse(line)).id);
}

describe('roundhouse sessions tail', () => {
  it('shows what happens as a person reads it, and ends with the session', async () => {
    const running = tail();
    const stream = await api.stream(1);
    stream.send(
      { ...message('a', 'two\nlines \u001b[31m'), type: 'user.message' },
      Object.assign(
        { type: 'agent.tool_use', id: 'b' },
        { name: 'bash', input: { command: 'ls' } },
      ),
      Object.assign(
        { type: 'session.status_idle', id: 'c', processed_at: AT },
        { stop_reason: { type: 'end_turn' }, stop_details: null },
      ),
      Object.assign({ type: 'roundhouse.gap' }, { from: 1, to: 5 }),
      DELETED,
    );
    expect(await running.ended).toEqual({
      code: 0,
      stderr: '',
      stdout: [
        '12:34:56  user.message                two',
        '                                      lines \\u001b[31m',
        '          agent.tool_use              bash {"command":"ls"}',
        '12:34:56  session.status_idle         end_turn',
        '          roundhouse.gap              { from: 1, to: 5 }',
        '12:34:56  session.deleted',
        '',
      ].join('\n'),
    });
    expect(stream).toMatchObject({ lastEventId: undefined });
  });

  it('goes on behind the last event on a new connection, and shows none twice', async () => {
    const running = tail('--json');
    const first = await api.stream(1);
    first.send(message('a'), message('b'));
    await running.until('"b"');
    first.cut();
    const second = await api.stream(2);
    expect(second.lastEventId).toBe('b');
    // A server of ours sends no event again; whatever stands between may.
    second.send(message('a'), message('b'), message('c'));
    await running.until('"c"');
    second.end();
    const third = await api.stream(3);
    expect(third.lastEventId).toBe('c');
    third.send(message('c'), message('d'), DELETED);
    const { code, stdout, stderr } = await running.ended;
    expect(code).toBe(0);
    expect(idsIn(stdout)).toEqual(['a', 'b', 'c', 'd', 'gone']);
    expect(stderr.match(/trying again/g)).toHaveLength(2);
  });

  it('begins where it is told to', async () => {
    const places: [string[], { lastEventId: string | undefined; from: string | null }][] = [
      [[], { lastEventId: undefined, from: '1' }],
      [['--all'], { lastEventId: undefined, from: '1' }],
      [['--from', '12'], { lastEventId: undefined, from: '12' }],
      [['--after', 'sevt_9'], { lastEventId: 'sevt_9', from: null }],
    ];
    let number = 0;
    for (const [flags, { lastEventId, from }] of places) {
      const running = tail(...flags);
      const stream = await api.stream((number += 1));
      expect(stream.lastEventId).toBe(lastEventId);
      expect(stream.query.get('roundhouse_from')).toBe(from);
      running.interrupt();
      await running.ended;
    }
    const both = await tail('--all', '--from', '1').ended;
    expect(both).toMatchObject({ code: 2, stdout: '' });
  });

  it('begins behind the last event that there is where it is told nothing', async () => {
    const events = [message('last')];
    api.answer('GET /v1/sessions/sesn_1/events', { data: events, next_page: 'more' });
    const running = tail();
    expect((await api.stream(1)).lastEventId).toBe('last');
    running.interrupt();
    expect(await running.ended).toMatchObject({ code: 0, stdout: '' });
  });

  it('does not ask for the past again on a new connection', async () => {
    const running = tail('--all', '--json');
    const first = await api.stream(1);
    first.send(message('a'));
    await running.until('"a"');
    first.cut();
    const second = await api.stream(2);
    expect(second.query.get('roundhouse_from')).toBeNull();
    expect(second.lastEventId).toBe('a');
    running.interrupt();
    await running.ended;
  });

  it('ends at Ctrl-C with 0, also while it waits to try again', async () => {
    const running = tail();
    const stream = await api.stream(1);
    running.interrupt();
    expect(await running.ended).toEqual({ code: 0, stdout: '', stderr: '' });
    const waiting = tail();
    await breakOff(waiting, await api.stream(2));
    await waiting.until('trying again');
    waiting.interrupt();
    expect((await waiting.ended).code).toBe(0);
    stream.end();
  });

  it('ends with 1 when the server will not have it: at once, or on a new connection', async () => {
    const running = tail();
    const stream = await api.stream(1);
    api.answer(`GET ${TAIL}`, wireError('not_found_error', 'No such session.'), 404);
    await breakOff(running, stream);
    expect(await running.ended).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^The connection was lost.*\nNo such session\.\n$/),
    });
    expect(await tail().ended).toMatchObject({ code: 1, stderr: 'No such session.\n' });
  });

  it('tries again while the server is away or overloaded', async () => {
    const running = tail('--json');
    const stream = await api.stream(1);
    api.answer(`GET ${TAIL}`, wireError('overloaded_error', 'Not now.'), 503);
    await breakOff(running, stream);
    await running.until('trying again.\nThe connection was lost; trying again.');
    api.answerNoMore(`GET ${TAIL}`);
    (await api.stream(2)).send(message('a'), DELETED);
    expect(await running.ended).toMatchObject({ code: 0 });
  });
});
