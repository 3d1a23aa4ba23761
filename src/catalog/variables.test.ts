import { expect, test } from 'vitest';
import { variableRule } from './variables.ts';

test('no variable may be set unless it is listed', () => {
  const allowed = variableRule([]);
  expect(['APP_TOKEN', 'X', ''].filter(allowed)).toEqual([]);
});

test('a name stands for itself, and for what it begins with a star at its end', () => {
  const allowed = variableRule(['APP_*', 'EXACT']);
  expect(['APP_A', 'APP_', 'EXACT', 'EXACT_', 'app_a', 'APP', 'MY_APP_A'].filter(allowed)).toEqual([
    'APP_A',
    'APP_',
    'EXACT',
  ]);
});

test('what decides over programs, the upstream or the host is never allowed', () => {
  const allowed = variableRule(['*', 'PATH', 'LD_PRELOAD']);
  const dangerous = [
    'PATH',
    'HOME',
    'BASH_ENV',
    'LD_PRELOAD',
    'NODE_OPTIONS',
    'NODE_TLS_REJECT_UNAUTHORIZED',
    'BUN_OPTIONS',
    'SSL_CERT_FILE',
    'HTTPS_PROXY',
    'https_proxy',
    'ALL_PROXY',
    'ANTHROPIC_BASE_URL',
    'CLAUDE_CONFIG_DIR',
    'ROUNDHOUSE_CLIENT',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'IS_SANDBOX',
    'TMPDIR',
    'GIT_SSH_COMMAND',
    'GIT_CONFIG_COUNT',
    'git_exec_path',
  ];
  expect(dangerous.filter(allowed)).toEqual([]);
  expect(
    ['PATHS', 'APP_HOME', 'PROXY', 'GIT_AUTHOR_NAME', 'GIT_COMMITTER_EMAIL'].filter(allowed),
  ).toHaveLength(5);
});
