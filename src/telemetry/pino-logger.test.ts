import { describe, expect, it } from 'vitest';

import type { LogFields } from './telemetry.ts';
import { RoundhouseError } from '../errors.ts';
import { createPinoLogger } from './pino-logger.ts';
import { isSecretName } from './secret-names.ts';

function logged(event: string, fields?: LogFields): Record<string, unknown> {
  const lines: string[] = [];
  const log = createPinoLogger({
    level: 'info',
    destination: { write: (line) => lines.push(line) },
  });
  log.debug?.('below_the_level');
  log.info(event, fields);
  expect(lines).toHaveLength(1);
  return JSON.parse(lines[0] ?? '');
}

describe('the pino logger', () => {
  it('writes level, time, event and the fields, and nothing below its level', () => {
    const line = logged('session_started', { sessionId: 'sesn_1', currentSessions: 2 });
    expect(line).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      event: 'session_started',
      sessionId: 'sesn_1',
      currentSessions: 2,
    });
  });

  it('has debug only where such lines are kept, so that their facts are not gathered for nothing', () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => lines.push(line) };
    expect(createPinoLogger({ level: 'info', destination })).not.toHaveProperty('debug');
    createPinoLogger({ level: 'debug', destination }).debug?.('looked_at', { sessionId: 'sesn_1' });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'debug', event: 'looked_at', sessionId: 'sesn_1' },
    ]);
  });

  it('keeps code, facts and cause of an error', () => {
    const cause = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
    const error = new RoundhouseError('storage_failed', 'No.', { cause, fields: { apiKey: 'k' } });
    expect(logged('failed', { error })['error']).toMatchObject({
      type: 'RoundhouseError',
      code: 'storage_failed',
      message: 'No.',
      fields: { apiKey: '[secret]' },
      cause: { message: 'disk full', code: 'ENOSPC' },
    });
  });

  it('masks secrets at any depth and leaves counts of tokens alone', () => {
    const line = logged('request', {
      headers: { 'x-api-key': 'k', Authorization: 'Bearer k', accept: '*/*' },
      token: 'k',
      list: [{ password: 'k' }],
      inputTokens: 12,
      firstToken: 3,
    });
    expect(line).toMatchObject({
      headers: { 'x-api-key': '[secret]', Authorization: '[secret]', accept: '*/*' },
      token: '[secret]',
      list: [{ password: '[secret]' }],
      inputTokens: 12,
      firstToken: 3,
    });
  });

  it('never lets a field take the place of the event, the level or the time', () => {
    const line = logged('real', { event: 'fake', level: 'x', time: 0 });
    expect(line).toMatchObject({ event: 'real', level: 'info', event_: 'fake', level_: 'x' });
  });

  it('survives values that JSON cannot hold', () => {
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;
    expect(logged('odd', { loop, big: 10n, set: new Set([1]) })).toMatchObject({
      big: '10',
      set: [1],
    });
  });
});

describe('names of secrets', () => {
  it.each(['apiKey', 'ANTHROPIC_API_KEY', 'x-api-key', 'authToken', 'AWS_SECRET_ACCESS_KEY'])(
    'include %s',
    (name) => expect(isSecretName(name)).toBe(true),
  );
  it.each(['inputTokens', 'tokenDelayMs', 'key', 'keyId', 'sessionId'])(
    'do not include %s',
    (name) => expect(isSecretName(name)).toBe(false),
  );
});
