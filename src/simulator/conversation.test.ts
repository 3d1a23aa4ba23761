import { describe, expect, test } from 'vitest';
import { readConversation } from './conversation.ts';
import type { Block, Message } from './message.ts';

const REMINDER = '<system-reminder>\nMind [[error 500]].\n</system-reminder>\n';
const IMAGE: Block = { type: 'image' };

describe('readConversation', () => {
  test('finds the last prompt, the ones before it and the number of messages before it', () => {
    expect(
      readConversation([user('a'), assistant('x'), user('b'), assistant('y'), user('c')]),
    ).toEqual({
      prompt: 'c',
      earlierPrompts: ['a', 'b'],
      earlierMessageCount: 4,
      imageCount: 0,
      documentCount: 0,
      continuations: 0,
      toolResults: [],
    });
  });

  test('passes over what Claude Code writes: reminders, commands, markers, system messages', () => {
    const { prompt, earlierPrompts, earlierMessageCount } = readConversation([
      user(REMINDER, 'a'),
      { role: 'system', blocks: [text('# Environment [[error 500]]')] },
      assistant('x'),
      user('<command-name>/clear</command-name>', '[Request interrupted by user]', `${REMINDER}b`),
      user('Continue from where you left off.'),
    ]);
    expect({ prompt, earlierPrompts, earlierMessageCount }).toEqual({
      prompt: 'b',
      earlierPrompts: ['a'],
      earlierMessageCount: 2,
    });
  });

  test('tells two prompts in one message apart, as after a failed turn', () => {
    const { prompt, earlierPrompts } = readConversation([user('[[error 400]]', 'next')]);
    expect({ prompt, earlierPrompts }).toEqual({
      prompt: 'next',
      earlierPrompts: ['[[error 400]]'],
    });
  });

  test.each([
    '<session>\n[[say x]] </session> [[say y]]\n</session>\n\nWrite the title.',
    "User's intent: list\n\nTools completed:\n\nTool: Bash\nInput: [[say x]]\n\nLabel:",
    '<conversation>[[say x]]</conversation> Sum it up.',
  ])('does not read the directives that a side request quotes: %j', (quoting) => {
    expect(readConversation([user(quoting)]).prompt ?? '').not.toContain('[[');
  });

  test('collects the tool results after the prompt, with the names of their tools', () => {
    const { prompt, toolResults } = readConversation([
      user('old'),
      { role: 'assistant', blocks: [{ type: 'tool_use', id: 't0', name: 'Read' }] },
      { role: 'user', blocks: [result('t0', 'old result')] },
      assistant('x'),
      user('new'),
      {
        role: 'assistant',
        blocks: [
          { type: 'tool_use', id: 't1', name: 'Bash' },
          { type: 'tool_use', id: 't2', name: 'Write' },
        ],
      },
      { role: 'user', blocks: [result('t2', 'no', true), result('t1', 'yes'), text(REMINDER)] },
    ]);
    expect(prompt).toBe('new');
    expect(toolResults).toEqual([
      { tool: 'Write', text: 'no', isError: true },
      { tool: 'Bash', text: 'yes', isError: false },
    ]);
  });

  test('counts attachments of the message with the prompt, also of one without words', () => {
    const described = '[Image: source: /tmp/images/1.png]';
    expect(
      readConversation([{ role: 'user', blocks: [text('look'), IMAGE, text(described)] }]),
    ).toMatchObject({ prompt: 'look', imageCount: 1, documentCount: 0 });
    expect(
      readConversation([user('a'), { role: 'user', blocks: [IMAGE, { type: 'document' }] }]),
    ).toMatchObject({ prompt: '', earlierPrompts: ['a'], imageCount: 1, documentCount: 1 });
    expect(
      readConversation([
        user('a'),
        { role: 'assistant', blocks: [{ type: 'tool_use', id: 't', name: 'Read' }] },
        { role: 'user', blocks: [result('t', '[image]'), IMAGE] },
      ]),
    ).toMatchObject({ prompt: 'a', imageCount: 0 });
  });

  test('counts the requests to go on, which are no prompts', () => {
    expect(
      readConversation([
        user('[[max-tokens times 1]]'),
        assistant('x'),
        user('Output token limit hit. Resume directly.'),
      ]),
    ).toMatchObject({ prompt: '[[max-tokens times 1]]', continuations: 1 });
  });

  test('a report of a background task starts a turn only when it stands alone', () => {
    const report = `<system-reminder><task-notification>[[say x]]</task-notification></system-reminder>`;
    expect(readConversation([user('[[say a]]'), assistant('a'), user(report)]).prompt).toBe(
      'a background task reported',
    );
    expect(readConversation([user('[[say a]]', report)]).prompt).toBe('[[say a]]');
    expect(readConversation([user(report, '[[say a]]')]).prompt).toBe('[[say a]]');
  });

  test('does not run the directives of a compacted conversation', () => {
    const summary = 'This session is being continued from a previous conversation: [[error 500]]';
    expect(readConversation([user(summary)]).prompt).toBe('a summary of what was said before');
  });

  test('without any prompt there is none', () => {
    expect(readConversation([user(REMINDER)]).prompt).toBeUndefined();
  });
});

function text(value: string): Block {
  return { type: 'text', text: value };
}

function user(...texts: string[]): Message {
  return { role: 'user', blocks: texts.map(text) };
}

function assistant(...texts: string[]): Message {
  return { role: 'assistant', blocks: texts.map(text) };
}

function result(toolUseId: string, value: string, isError = false): Block {
  return { type: 'tool_result', toolUseId, text: value, isError };
}
