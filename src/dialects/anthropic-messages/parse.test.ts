import { describe, expect, test } from 'vitest';
import { RoundhouseError } from '../../errors.ts';
import { FIELDS } from './fields.ts';
import { parseMessagesRequest } from './parse.ts';
import type { MessagesRequest } from './parse.ts';

const base = {
  model: 'claude-a',
  max_tokens: 100,
  messages: [{ role: 'user', content: 'Hello' }],
};

function parse(fields: object = {}, sessionNamed = false): MessagesRequest {
  return parseMessagesRequest({ ...base, ...fields }, { models: ['claude-a'], sessionNamed });
}

function errorOf(fields: object, sessionNamed = false): { code: string; message: string } {
  try {
    parse(fields, sessionNamed);
  } catch (error) {
    if (error instanceof RoundhouseError) return { code: error.code, message: error.message };
    throw error;
  }
  throw new Error('expected an error, got none');
}

const user = (content: unknown): object => ({ messages: [{ role: 'user', content }] });

const SAMPLES: Readonly<Record<string, unknown>> = {
  temperature: 0,
  top_p: 0.5,
  top_k: 5,
  stop_sequences: ['x'],
  tools: [{ name: 't' }],
  tool_choice: { type: 'auto' },
  container: 'c',
  inference_geo: 'eu',
  output_config: { effort: 'low' },
  output_format: { type: 'json_schema' },
  speed: 'fast',
  context_management: { edits: [], x: 1 },
  compaction: {},
  mcp_servers: [{}],
  fallbacks: ['m'],
  fallback_credit_token: 't',
  billing_policy: {},
  thread: {},
  betas: ['b'],
  user_profile_id: 'u',
  workspace_id: 'w',
  cache_control: { type: 'ephemeral' },
  diagnostics: { previous_message_id: null },
  service_tier: 'standard_only',
  max_tokens: 5,
};

const topLevel = Object.entries(FIELDS).filter(([name]) => !name.includes('.'));
const refused = topLevel.filter(([, rule]) => rule.effect === 'refused').map(([name]) => name);
const ignored = topLevel.filter(([, rule]) => rule.effect === 'ignored').map(([name]) => name);

describe('a field', () => {
  test.each(refused)('%s is refused by its name', (name) => {
    const { code, message } = errorOf({ [name]: SAMPLES[name] });
    expect(code).toBe('unsupported_field');
    expect(message).toContain(`${name} (`);
  });

  test.each(ignored)('%s is listed as ignored', (name) => {
    expect(parse({ [name]: SAMPLES[name] }).ignored).toContain(name);
  });

  test.each(refused)('%s asks for nothing when it is null', (name) => {
    expect(parse({ [name]: null }).ignored).toEqual(['max_tokens']);
  });

  test('that is empty asks for nothing', () => {
    const fields = { tools: [], stop_sequences: [], output_config: {}, speed: 'standard' };
    expect(parse(fields).ignored).toEqual(['max_tokens']);
  });

  test('that nobody knows is refused with its path', () => {
    expect(errorOf({ max_token: 5, foo: 1 })).toEqual({
      code: 'invalid_request',
      message: 'max_token, foo: unknown fields; remove them',
    });
    expect(errorOf(user([{ type: 'text', text: 'a', bold: true }])).message).toBe(
      'messages.0.content.0.bold: unknown field; remove it',
    );
    expect(errorOf({ toString: 1 }).message).toContain('toString');
  });

  test('of every refused kind is named in one answer', () => {
    const { message } = errorOf({ temperature: 1, top_k: 2 });
    expect(message).toMatch(/temperature.*top_k/);
  });
});

describe('the prompt', () => {
  test('is the user messages at the end, blank text left out', () => {
    const { prompt, history } = parse({
      messages: [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: 'b' },
        { role: 'user', content: [{ type: 'text', text: ' ' }] },
        { role: 'user', content: 'c' },
      ],
    });
    expect(prompt).toEqual([{ type: 'text', text: 'c' }]);
    expect(history).toEqual([
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ]);
  });

  test('takes images and documents', () => {
    const content = [
      { type: 'text', text: 'look', cache_control: { type: 'ephemeral' } },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'iVBORw0KGgo=' } },
      { type: 'image', source: { type: 'url', url: 'https://example.test/a.png' } },
      {
        type: 'document',
        source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0=' },
        title: 'T',
        context: null,
      },
      { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'plain' } },
      { type: 'document', source: { type: 'url', url: 'https://example.test/a.pdf' } },
    ];
    const { prompt, ignored: left } = parse(user(content));
    expect(prompt).toEqual([{ type: 'text', text: 'look' }, ...content.slice(1)]);
    expect(left).toEqual(['max_tokens', 'cache_control']);
  });

  test.each([
    ['', 'messages.0.content: expected text, an image or a document, got nothing'],
    ['  \n', 'messages.0.content: expected text'],
    [[], 'messages.0.content: expected text'],
    [5, 'messages.0.content: expected string or array, got 5'],
    [[5], 'messages.0.content.0: expected object, got 5'],
    [[{ type: 'video' }], 'messages.0.content.0.type: expected one of "text", "image"'],
    [
      [{ type: 'image', source: { type: 'file', file_id: 'f' } }],
      'messages.0.content.0.source.type: expected one of "base64", "url", got "file"',
    ],
    [
      [{ type: 'image', source: { type: 'base64', media_type: 'image/bmp', data: 'aa' } }],
      'messages.0.content.0.source.media_type: expected one of "image/jpeg"',
    ],
    [
      [{ type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'a b!' } }],
      'messages.0.content.0.source.data: expected base64 data',
    ],
    [
      [{ type: 'image', source: { type: 'url', url: 'file:///etc/passwd' } }],
      'messages.0.content.0.source.url: expected an http or https URL',
    ],
    [
      [{ type: 'tool_result', tool_use_id: 't', content: 'x' }],
      'messages.0.content.0.type: expected "text", "image" or "document" in a prompt, got "tool_result"',
    ],
  ])('%j is refused with its path', (content, message) => {
    expect(errorOf(user(content)).message).toContain(message);
  });

  test.each([
    [[], 'messages: expected at least one message'],
    ['hi', 'messages: expected array, got "hi"'],
    [[{ role: 'robot', content: 'a' }], 'messages.0.role: expected one of "user", "assistant"'],
    [[{ role: 'system', content: 'a' }], 'messages.0.role: expected one of "user", "assistant"'],
    [
      [
        { role: 'user', content: 'a' },
        { role: 'assistant', content: '{' },
      ],
      'messages.1.role',
    ],
    [
      [
        { role: 'assistant', content: 'a' },
        { role: 'user', content: 'b' },
      ],
      'messages.0.role',
    ],
  ])('is not found in the messages %j', (messages, message) => {
    expect(errorOf({ messages }).message).toContain(message);
  });

  test('never shows in an error', () => {
    const secret = 'x'.repeat(500);
    expect(errorOf({ model: secret }).message).not.toContain(secret);
    expect(errorOf({ stream: secret }).message).toBe(
      'stream: expected boolean, got a string of 500 characters',
    );
  });
});

describe('earlier messages', () => {
  const messages = [
    { role: 'user', content: 'a' },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'h', signature: 's' },
        { type: 'text', text: 'b', citations: null, cache_control: { type: 'ephemeral' } },
        { type: 'mcp_tool_use', id: 'x', name: 'Bash', server_name: 's', input: {} },
        { type: 'tool_use', id: 't', name: 'n', input: { a: 1 } },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't', content: 'r' }] },
    { role: 'assistant', content: 'c' },
    { role: 'user', content: 'd' },
  ];

  test('are the history of a one-shot call, cache marks and our own tool blocks left out', () => {
    const { history, ignored: left } = parse({ messages });
    expect(history).toHaveLength(4);
    expect(history[1]?.content).toEqual([
      { type: 'thinking', thinking: 'h', signature: 's' },
      { type: 'text', text: 'b', citations: null },
      { type: 'tool_use', id: 't', name: 'n', input: { a: 1 } },
    ]);
    expect(left).toEqual(['max_tokens', 'cache_control', 'messages.*.content.*.mcp_tool_use']);
  });

  test('are listed as ignored on a named session', () => {
    expect(parse({ messages }, true)).toMatchObject({
      history: [],
      ignored: ['max_tokens', 'messages[0..3]'],
    });
    expect(parse({ messages, metadata: { session_id: 's' } })).toMatchObject({
      history: [],
      sessionName: 's',
    });
  });
});

describe('other fields', () => {
  test('an unknown model is refused with the list of those there are', () => {
    expect(errorOf({ model: 'gpt' })).toEqual({
      code: 'model_not_found',
      message: 'model: expected one of claude-a, got "gpt"',
    });
    expect(parse({ model: undefined }).model).toBeUndefined();
  });

  test('system is text or text blocks', () => {
    expect(parse({ system: 'Be brief.' }).system).toBe('Be brief.');
    const blocks = [
      { type: 'text', text: 'a', cache_control: { type: 'ephemeral' } },
      { type: 'text', text: 'b' },
    ];
    expect(parse({ system: blocks })).toMatchObject({
      system: 'a\n\nb',
      ignored: ['max_tokens', 'cache_control'],
    });
    expect(errorOf({ system: 5 }).message).toBe('system: expected string or array, got 5');
  });

  test.each([
    [
      { type: 'enabled', budget_tokens: 2048 },
      { maxThinkingTokens: 2048, showThinking: true },
    ],
    [{ type: 'disabled' }, { maxThinkingTokens: 0, showThinking: false }],
    [{ type: 'adaptive' }, { showThinking: true }],
    [{ type: 'adaptive', display: 'omitted' }, { showThinking: false }],
  ])('thinking %j', (thinking, expected) => {
    expect(parse({ thinking })).toMatchObject(expected);
  });

  test('thinking that cannot be had is refused', () => {
    expect(errorOf({ thinking: { type: 'between_tools' } }).message).toContain('thinking.type');
    expect(errorOf({ thinking: { type: 'enabled', budget_tokens: 5 } }).message).toBe(
      'thinking.budget_tokens: expected at least 1024, got 5',
    );
  });

  test('metadata.user_id is listed as ignored', () => {
    expect(parse({ metadata: { user_id: 'u' } }).ignored).toContain('metadata.user_id');
    expect(errorOf({ metadata: { team: 'x' } }).message).toContain('metadata.team');
  });

  test.each([null, 5, 'text', [base]])('a body that is %j is refused', (body) => {
    expect(() => parseMessagesRequest(body, { models: [], sessionNamed: false })).toThrow(
      /body: expected a JSON object/,
    );
  });
});
