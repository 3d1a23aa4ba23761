import { expect, test } from 'vitest';
import { OWN_TOOLS, toApiCall } from './own-tools.ts';

test.each<[string, Record<string, unknown>, string, Record<string, unknown>]>([
  ['Bash', { command: 'ls' }, 'bash', { command: 'ls' }],
  [
    'Bash',
    { command: 'ls', timeout: 5_000, description: 'Lists' },
    'bash',
    { command: 'ls', timeout_ms: 5_000, description: 'Lists' },
  ],
  ['Read', { file_path: '/a' }, 'read', { file_path: '/a' }],
  [
    'Read',
    { file_path: '/a', offset: 10, limit: 5 },
    'read',
    { file_path: '/a', view_range: [10, 14] },
  ],
  ['Read', { file_path: '/a', limit: 5 }, 'read', { file_path: '/a', view_range: [1, 5] }],
  ['Read', { file_path: '/a', offset: 10 }, 'read', { file_path: '/a', view_range: [10, -1] }],
  ['Write', { file_path: '/a', content: 'b' }, 'write', { file_path: '/a', content: 'b' }],
  ['WebSearch', { query: 'a' }, 'web_search', { query: 'a' }],
  ['TodoWrite', { todos: [] }, 'TodoWrite', { todos: [] }],
])('%s %j is %s %j to a client', (agentName, input, name, shown) => {
  expect(toApiCall(agentName, input)).toEqual({ name, input: shown });
});

test('no two tools have a name in common', () => {
  const names = OWN_TOOLS.flatMap(({ name, agentName }) => [name, agentName]);
  expect(new Set(names).size).toBe(names.length);
});
