import { describe, expect, test } from 'vitest';

import { PROCESS_MARK } from '../../contracts/host.ts';
import { checkCredentials } from './credentials.ts';
import { agentEnvironment } from './environment.ts';
import { createRedact } from './redact.ts';

function secret(value: string) {
  return { value, secret: true };
}

describe('the environment of an agent', () => {
  const environment = agentEnvironment({
    clientId: 'clnt_1',
    processFolder: '/data/processes/clnt_1',
    credentials: { ANTHROPIC_API_KEY: 'sk-1' },
    maxRetries: 2,
  });

  test('has nothing of the host but what it is given', () => {
    process.env['ROUNDHOUSE_TEST_LEAK'] = 'x';
    expect(Object.values(environment)).not.toContain('x');
    delete process.env['ROUNDHOUSE_TEST_LEAK'];
    expect(environment['PATH']).toBe('/usr/local/bin:/usr/bin:/bin');
    expect(environment['ANTHROPIC_API_KEY']).toBe('sk-1');
  });

  test("keeps everything in the process's own folder", () => {
    for (const name of ['HOME', 'CLAUDE_CONFIG_DIR', 'TMPDIR', 'CLAUDE_CODE_TMPDIR']) {
      expect(environment[name]).toMatch(/^\/data\/processes\/clnt_1/);
    }
  });

  test('has the variables of the session behind everything else', () => {
    const mine = agentEnvironment({
      clientId: 'clnt_1',
      processFolder: '/data/processes/clnt_1',
      credentials: { ANTHROPIC_API_KEY: 'sk-1' },
      variables: {
        APP_TOKEN: secret('t'),
        PATH: secret('/evil'),
        ANTHROPIC_API_KEY: secret('other'),
        [PROCESS_MARK]: secret('other'),
      },
      maxRetries: 2,
    });
    expect(mine).toEqual({ ...environment, APP_TOKEN: 't' });
  });

  test('carries the mark, and never allows permissions to be skipped', () => {
    expect(environment[PROCESS_MARK]).toBe('clnt_1');
    expect(environment).not.toHaveProperty('IS_SANDBOX');
  });
});

describe('the way to loopback', () => {
  const common = { clientId: 'clnt_1', processFolder: '/data', maxRetries: 2 };
  const proxied = { HTTPS_PROXY: 'http://proxy:1', no_proxy: 'intern.example' };

  test('leads around the proxy, beside what goes around it anyway', () => {
    const environment = agentEnvironment({ ...common, credentials: proxied, reachesHost: true });
    expect(environment).toMatchObject({
      NO_PROXY: 'intern.example,127.0.0.1',
      no_proxy: 'intern.example,127.0.0.1',
      HTTPS_PROXY: 'http://proxy:1',
    });
  });

  test('needs no word where there is no proxy, or nothing to reach', () => {
    const direct = agentEnvironment({ ...common, credentials: {}, reachesHost: true });
    expect(direct).not.toHaveProperty('NO_PROXY');
    const alone = agentEnvironment({ ...common, credentials: proxied });
    expect(alone).toMatchObject({ no_proxy: 'intern.example' });
    expect(alone).not.toHaveProperty('NO_PROXY');
  });
});

describe('credentials', () => {
  test.each([
    'ANTHROPIC_API_KEY',
    'CLAUDE_CODE_OAUTH_TOKEN',
    'CLAUDE_CODE_SKIP_VERTEX_AUTH',
    'AWS_PROFILE',
    'GOOGLE_APPLICATION_CREDENTIALS',
    'VERTEX_REGION_CLAUDE_4_5_HAIKU',
    'https_proxy',
    'NODE_EXTRA_CA_CERTS',
  ])('may be in %s', (name) => {
    expect(() => checkCredentials({ [name]: 'x' })).not.toThrow();
  });

  test.each(['IS_SANDBOX', 'NODE_OPTIONS', 'LD_PRELOAD', 'CLAUDE_CONFIG_DIR', 'PATH'])(
    'are not what %s is for',
    (name) => {
      expect(() => checkCredentials({ [name]: 'x' })).toThrow(name);
    },
  );
});

describe('redaction', () => {
  const redact = createRedact({
    ANTHROPIC_API_KEY: 'sk-ant-12345',
    ANTHROPIC_CUSTOM_HEADERS: 'x-proxy: hunter2-hunter2',
    AWS_REGION: 'eu-central-1',
  });

  test('takes keys and header values out of a text, and leaves the rest', () => {
    expect(redact('sk-ant-12345 hunter2-hunter2 eu-central-1')).toBe(
      '[redacted] [redacted] eu-central-1',
    );
  });

  test('takes secret variables out of a text, whatever their names, and leaves the others', () => {
    const mine = createRedact(
      {},
      {
        APP_MODE: { value: 'testing', secret: false },
        APP_PASS: { value: 'hunter2', secret: true },
      },
    );
    expect(mine('testing with hunter2')).toBe('testing with [redacted]');
  });

  test('takes passwords out of URLs, whoever they belong to', () => {
    expect(redact('https://me:pw@proxy:1')).toBe('https://[redacted]@proxy:1');
  });
});
