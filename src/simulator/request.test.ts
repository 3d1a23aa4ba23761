import { describe, expect, test } from 'vitest';
import { readMessagesRequest } from './request.ts';

const USER = { role: 'user', content: 'hi' };
const CALL = { role: 'assistant', content: [{ type: 'tool_use', id: 't', name: 'A', input: {} }] };
const RESULT = { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'x' }] };
const SYSTEM = { role: 'system', content: 'environment' };

function read(sent: unknown): ReturnType<typeof readMessagesRequest> {
  return readMessagesRequest(sent, { needsMaxTokens: true });
}

function body(...messages: unknown[]): object {
  return { model: 'm', max_tokens: 1, messages };
}

describe('readMessagesRequest', () => {
  test.each<[string, unknown, RegExp]>([
    ['no object', [], /JSON object/],
    ['no model', { max_tokens: 1, messages: [USER] }, /model: Field required/],
    ['no max_tokens', { model: 'm', messages: [USER] }, /max_tokens/],
    ['no messages', body(), /at least one message/],
    ['an unknown role', body({ role: 'tool', content: 'x' }), /messages\.0\.role/],
    ['no content', body(USER, { role: 'user' }), /messages\.1\.content/],
    ['a block without a type', body({ role: 'user', content: [{}] }), /blocks with a type/],
    ['a call without its result', body(USER, CALL, USER), /without `tool_result` blocks.*: t\./],
    ['a result without its call', body(USER, RESULT), /unexpected `tool_use_id`.*: t\./],
  ])('refuses %s', (_, sent, message) => {
    expect(() => read(sent)).toThrow(expect.objectContaining({ status: 400 }));
    expect(() => read(sent)).toThrow(message);
  });

  test('takes calls and results that system messages part, and an open call at the end', () => {
    expect(read(body(USER, CALL, SYSTEM, RESULT, USER)).messages).toHaveLength(5);
    expect(read(body(USER, CALL)).messages).toHaveLength(2);
  });

  test('reads results of every shape as text', () => {
    const content = [
      { type: 'text', text: 'a' },
      { type: 'image', source: {} },
    ];
    const result = { type: 'tool_result', tool_use_id: 't', content, is_error: true };
    const { messages } = read(body(USER, CALL, { role: 'user', content: [result] }));
    expect(messages[2]?.blocks).toEqual([
      { type: 'tool_result', toolUseId: 't', text: 'a\n[image]', isError: true },
    ]);
  });

  test('estimates a quarter of the characters, and a fixed size for an image', () => {
    expect(read(body({ role: 'user', content: 'x'.repeat(400) })).inputTokens).toBe(101);
    const image = { type: 'image', source: { type: 'base64', data: 'x'.repeat(1e6) } };
    expect(read(body({ role: 'user', content: [image] })).inputTokens).toBe(1501);
  });
});
