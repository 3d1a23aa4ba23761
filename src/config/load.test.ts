import { describe, expect, it } from 'vitest';

import type { ConfigSources, LoadedConfig } from './load.ts';
import { RoundhouseError } from '../errors.ts';
import { loadConfig } from './load.ts';
import { showConfig } from './show.ts';

const HASH = `sha256:${'ab'.repeat(32)}`;

function load(sources: Partial<ConfigSources> & { yaml?: string } = {}): LoadedConfig {
  const { yaml, flags = {}, ...rest } = sources;
  return loadConfig({
    env: {},
    home: '/home/ada',
    cwd: '/srv',
    readFile: () => yaml ?? '',
    ...rest,
    flags: yaml === undefined ? flags : { config: 'my.yaml', ...flags },
  });
}

function key(id: string, more = ''): string {
  return `{id: ${id}, hash: "${HASH}"${more}}`;
}

/** A configuration with these keys and a folder that all of them may name. */
function withCommonFolder(keys: string): string {
  return `server:\n  keys: [${keys}]\nworkspaces:\n  allowed: [/srv]\n`;
}

/** The lines of the mistakes that a configuration has. */
function mistakes(sources: Parameters<typeof load>[0]): unknown {
  try {
    load(sources);
  } catch (error) {
    if (error instanceof RoundhouseError && error.code === 'configuration_invalid') {
      return error.message
        .split('\n')
        .slice(1)
        .map((line) => line.trim());
    }
    throw error;
  }
  return [];
}

function failing(): string {
  throw new Error('ENOENT');
}

describe('the order of sources', () => {
  it('is flag, environment, file, default, setting by setting', () => {
    const yaml = 'pool:\n  maxProcesses: 3\n  waitMs: 1\n  maxStarts: 5\n';
    const { config, origins } = load({
      yaml,
      env: { ROUNDHOUSE_POOL_MAX_PROCESSES: '4', ROUNDHOUSE_POOL_WAIT_MS: '2' },
      flags: { 'max-processes': '7' },
    });
    expect(config.pool).toMatchObject({
      maxProcesses: 7,
      waitMs: 2,
      maxStarts: 5,
      maxWaiters: 256,
    });
    expect(origins.get('pool.maxProcesses')).toEqual({ source: 'flag', name: '--max-processes' });
    expect(origins.get('pool.waitMs')).toEqual({
      source: 'environment',
      name: 'ROUNDHOUSE_POOL_WAIT_MS',
    });
    expect(origins.get('pool.maxStarts')).toEqual({ source: 'file', name: 'my.yaml:4:3' });
    expect(origins.get('pool.maxWaiters')).toMatchObject({ source: 'default' });
  });

  it('takes the file that the flag names before the one of the environment', () => {
    const asked: string[] = [];
    const readFile = (path: string): string => {
      asked.push(path);
      return '';
    };
    const env = { ROUNDHOUSE_CONFIG: 'env.yaml' };
    load({ readFile, env });
    load({ readFile, env, flags: { config: '/etc/flag.yaml' } });
    load({ readFile });
    expect(asked).toEqual(['/srv/env.yaml', '/etc/flag.yaml']);
  });

  it('takes an empty variable and an empty name in the file for unset', () => {
    const yaml = 'pool:\nserver:\n  port:\n';
    const { config } = load({ yaml, env: { ROUNDHOUSE_SERVER_HOST: '' } });
    expect(config.server).toMatchObject({ host: '127.0.0.1', port: 8787 });
  });
});

describe('values', () => {
  it('are read from text by their type', () => {
    const { config } = load({
      env: {
        ROUNDHOUSE_POOL_ENABLED: 'false',
        ROUNDHOUSE_POOL_LIMITS_TURN_MS: '5000',
        ROUNDHOUSE_AGENT_MODELS: 'opus, sonnet',
        ROUNDHOUSE_SERVER_KEYS: `[{id: app, hash: "${HASH}"}]`,
      },
    });
    expect(config.pool).toMatchObject({
      enabled: false,
      limits: { turnMs: 5000, startMs: 60_000 },
    });
    expect(config.agent.models).toEqual(['opus', 'sonnet']);
    expect(config.server.keys).toEqual([{ id: 'app', hash: HASH }]);
  });

  it('put the data directory where XDG says, and make it absolute', () => {
    expect(load().config.dataDir).toBe('/home/ada/.local/share/roundhouse');
    expect(load({ env: { XDG_DATA_HOME: '/data' } }).config.dataDir).toBe('/data/roundhouse');
    expect(load({ env: { XDG_DATA_HOME: 'relative' } }).config.dataDir).toBe(
      '/home/ada/.local/share/roundhouse',
    );
    expect(load({ flags: { 'data-dir': 'here' } }).config.dataDir).toBe('/srv/here');
  });

  it('are shown with their origin, and secrets never', () => {
    const { config, origins } = load({ yaml: `server:\n  keys: [{id: app, hash: "${HASH}"}]\n` });
    const shown = showConfig(config, origins);
    expect(shown.find(({ path }) => path === 'server.keys')).toEqual({
      path: 'server.keys',
      value: [{ id: 'app', hash: '[secret]' }],
      origin: { source: 'file', name: 'my.yaml:2:3' },
    });
    expect(JSON.stringify(shown)).not.toContain('abab');
  });
});

describe('mistakes', () => {
  it('are folders that are not absolute, and common ones where there are several keys', () => {
    expect(load({ yaml: withCommonFolder(key('a')) }).config.workspaces.allowed).toEqual(['/srv']);
    expect(load({ env: { ROUNDHOUSE_WORKSPACES_ALLOWED: '/a, /b' } }).config.workspaces).toEqual({
      allowed: ['/a', '/b'],
    });
    expect(mistakes({ yaml: withCommonFolder(`${key('a')}, ${key('b')}`) })).toEqual([
      expect.stringMatching(/workspaces\.allowed: expected none while there are several keys/),
    ]);
    const relative = mistakes({ yaml: `server:\n  keys: [${key('a', ', workspaces: [here]')}]\n` });
    expect(relative).toEqual([expect.stringMatching(/workspaces.*expected an absolute path/)]);
    expect(mistakes({ flags: { 'workspaces-allowed': 'here' } })).toEqual([
      expect.stringMatching(/expected an absolute path, such as \/srv\/projects, got "here"/),
    ]);
  });

  it('are all found at once, each with its place, what was expected and what was got', () => {
    const yaml = `server:
  prot: 99
  port: eighty
  keys:
    - id: "a b"
      hash: sha256:zz
    - {id: b, hsh: "${HASH}"}
pool:
  limits:
    silenceMs: 5
agent:
  defaultModel: gpt
  models: [opus]
store: fast
`;
    const found = mistakes({
      yaml,
      flags: { 'max-processes': '0', 'log-level': 'loud' },
      env: { ROUNDHOUSE_POOL_ENABLED: 'maybe', ROUNDHOUSE_SERVR_PORT: '1' },
    });
    expect(found).toEqual(
      expect.arrayContaining([
        'ROUNDHOUSE_SERVR_PORT: no such setting; did you mean ROUNDHOUSE_SERVER_PORT?',
        'ROUNDHOUSE_POOL_ENABLED: expected true or false, got "maybe"',
        '--max-processes: expected a whole number from 1 to 1000, got 0',
        '--log-level: expected one of silent, error, warn, info, debug, got "loud"',
        'my.yaml:2:3: server.prot: no such setting; did you mean server.port?',
        'my.yaml:3:3: server.port: expected a whole number from 0 to 65535, got "eighty"',
        'my.yaml:5:7: server.keys.0.id: expected 1 to 64 letters, digits, `.`, `_` or `-`, got "a b"',
        'my.yaml:6:7: server.keys.0.hash: expected `sha256:` and 64 hex digits, as `roundhouse keys new` prints it, got [secret]',
        'my.yaml:7:7: server.keys.1.hash: expected string, got nothing',
        'my.yaml:7:15: server.keys.1.hsh: no such setting; did you mean hash?',
        'my.yaml:10:5: pool.limits.silenceMs: expected a whole number from 10000 to 600000, got 5',
        'my.yaml:12:3: agent.defaultModel: expected one of agent.models (opus), got gpt',
        'my.yaml:14:1: store: expected settings by name, got "fast"',
      ]),
    );
    expect(found).toHaveLength(13);
  });

  it('in the form of the file are told with line and column', () => {
    expect(mistakes({ yaml: 'pool:\n  a: 1\n  a: 2\n' })).toEqual([
      'my.yaml:3:3: Map keys must be unique',
    ]);
    expect(mistakes({ yaml: '- 1' })).toEqual(['my.yaml:1:1: expected settings by name, got [1]']);
    expect(mistakes({ yaml: 'pool: *nowhere' })).toHaveLength(1);
    expect(mistakes({ yaml: 'pol:' })).toEqual([
      'my.yaml:1:1: pol: no such setting; did you mean pool?',
    ]);
  });

  it('include a file that cannot be read', () => {
    expect(mistakes({ readFile: failing, env: { ROUNDHOUSE_CONFIG: 'no.yaml' } })).toEqual([
      'ROUNDHOUSE_CONFIG: expected a readable file, got no.yaml (ENOENT)',
    ]);
  });

  it('include an address that others can reach while there is no key', () => {
    expect(mistakes({ flags: { host: '0.0.0.0' } })).toEqual([
      expect.stringMatching(
        /^--host: expected an address of this machine only .* got 0\.0\.0\.0; make a key/,
      ),
    ]);
    expect(mistakes({ flags: { host: '::1' } })).toEqual([]);
    expect(
      mistakes({ flags: { host: '0.0.0.0', 'server-keys': `[{id: a, hash: "${HASH}"}]` } }),
    ).toEqual([]);
  });

  it('include limits in the wrong order', () => {
    expect(mistakes({ flags: { 'pool-limits-first-message-ms': '70000' } })).toEqual([
      '--pool-limits-first-message-ms: expected less than limits.silenceMs (60000), got 70000',
    ]);
  });

  it('never include the mark that an agent of another server hands down', () => {
    expect(mistakes({ env: { ROUNDHOUSE_PROCESS_MARK: 'clnt_1' } })).toEqual([]);
  });
});
