import { expect, test } from 'vitest';
import { fingerprint, mergeOptions } from './agent-options.ts';

test('what is omitted is inherited, what is given wins', () => {
  const base = { model: 'a', tools: ['Bash'] };
  expect(mergeOptions(base, undefined)).toBe(base);
  expect(mergeOptions(base, { model: 'b' })).toEqual({ model: 'b', tools: ['Bash'] });
  expect(mergeOptions(base, { tools: [] })).toEqual({ model: 'a', tools: [] });
});

test('the fingerprint leaves out the model, which changes live, and the order of keys, but not that of a list', () => {
  const options = { maxThinkingTokens: 0, tools: ['A', 'B'] };
  expect(fingerprint({ ...options, model: 'x' })).toBe(fingerprint({ ...options, model: 'y' }));
  expect(fingerprint({ tools: ['A', 'B'], maxThinkingTokens: 0 })).toBe(fingerprint(options));
  expect(fingerprint({ ...options, tools: ['B', 'A'] })).not.toBe(fingerprint(options));
  expect(fingerprint({})).not.toBe(fingerprint({ tools: [] }));
});

test('what reaches a server or a client is shared with nobody but its tenant', () => {
  const server = { name: 'x', url: 'https://x.example', defaultPolicy: 'ask', tools: [] } as const;
  const tool = { name: 'x', description: '', inputSchema: { type: 'object' } };
  for (const options of [{ mcpServers: [server] }, { clientTools: [tool] }]) {
    expect(fingerprint(options, 'a')).toBe(fingerprint(options, 'a'));
    expect(fingerprint(options, 'a')).not.toBe(fingerprint(options, 'b'));
  }
  const plain = { tools: ['A'], mcpServers: [], clientTools: [] };
  expect(fingerprint(plain, 'a')).toBe(fingerprint(plain, 'b'));
});

test('equal options, the model included, leave the very same object', () => {
  const base = { model: 'x', tools: ['A'], systemPrompt: { mode: 'append', text: 'b' } } as const;
  expect(mergeOptions(base, {})).toBe(base);
  expect(mergeOptions(base, { tools: ['A'], model: 'x' })).toBe(base);
  expect(mergeOptions(base, { systemPrompt: { text: 'b', mode: 'append' } })).toBe(base);
  expect(mergeOptions(base, { model: 'y' })).not.toBe(base);
  expect(mergeOptions(base, { tools: ['A', 'B'] })).toEqual({ ...base, tools: ['A', 'B'] });
  expect(mergeOptions({}, { tools: [] })).toEqual({ tools: [] });
});
