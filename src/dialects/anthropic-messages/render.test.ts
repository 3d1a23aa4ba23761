import { describe, expect, test } from 'vitest';
import { RoundhouseError } from '../../errors.ts';
import type { LogItem } from '../../events/preview.ts';
import { TurnItems } from '../testing/log-items.ts';
import { MessageAccumulator } from './accumulate.ts';
import { MessageRenderer } from './render.ts';
import type { RendererOptions } from './render.ts';
import type { MessageEvent } from './wire.ts';

function render(items: readonly LogItem[], options: Partial<RendererOptions> = {}) {
  const renderer = new MessageRenderer({
    turnId: 'turn_abc',
    requestId: 'req_1',
    model: 'claude-default',
    agentEvents: 'hide',
    showThinking: false,
    ...options,
  });
  const events: MessageEvent[] = items.flatMap((item) => renderer.push(item));
  const accumulator = new MessageAccumulator();
  accumulator.add(events);
  return { renderer, events, message: accumulator.message };
}

const types = (events: readonly MessageEvent[]): string[] => events.map((event) => event.type);
const deltas = (events: readonly MessageEvent[]): string[] =>
  events.flatMap((event) =>
    event.type === 'content_block_delta' && event.delta.type === 'text_delta'
      ? [event.delta.text]
      : [],
  );

const thinkingTurn = (): LogItem[] => {
  const t = new TurnItems();
  return [
    t.messageStart('m1'),
    t.blockStart('m1', 0, 'thinking'),
    t.delta('m1', 0, 'Hm', 'thinking_delta'),
    t.thinking('m1', 0, 'Hmm.', 'signed'),
    ...t.streamedText('m1', 1, ['Yes.']),
    t.end(),
  ];
};

const toolTurn = (): LogItem[] => {
  const t = new TurnItems();
  return [
    t.text('m1', 0, 'Look.'),
    t.toolUse('tool_1', 'Bash', { command: 'ls' }),
    t.toolResult('tool_1', 'no such\nfile', true),
    t.text('m2', 0, 'Done.'),
    t.end(),
  ];
};

const shown = (t: TurnItems): LogItem[] => [
  t.messageStart('m1'),
  t.blockStart('m1', 0),
  t.delta('m1', 0, 'The answer'),
  t.messageStart('m2'),
  t.blockStart('m2', 0),
];

describe('an answer', () => {
  test('is one message with consecutive indices over the whole turn, tools hidden', () => {
    const t = new TurnItems('turn_abc');
    const { events, message } = render([
      t.user('go'),
      t.delivered(),
      t.messageStart('m1'),
      ...t.streamedText('m1', 0, ['I will ', 'look.']),
      t.toolUse('tool_1', 'Bash', { command: 'ls' }),
      t.toolResult('tool_1', 'a.txt'),
      t.messageStart('m2'),
      ...t.streamedText('m2', 0, ['Found ', 'a.txt.']),
      t.end(),
    ]);
    expect(types(events)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'content_block_start',
      'content_block_delta',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(deltas(events)).toEqual(['I will ', 'look.', 'Found ', 'a.txt.']);
    expect(message).toMatchObject({
      id: 'msg_abc',
      model: 'claude-test',
      stop_reason: 'end_turn',
      content: [
        { type: 'text', text: 'I will look.' },
        { type: 'text', text: 'Found a.txt.' },
      ],
      usage: { input_tokens: 11, output_tokens: 5 },
    });
  });

  test('is the same from records alone', () => {
    const t = new TurnItems();
    const { events, message } = render([t.text('m1', 0, 'Hello'), t.end()]);
    expect(types(events)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    expect(message?.content).toEqual([{ type: 'text', text: 'Hello', citations: null }]);
  });

  test('gets the rest from the record when only part of it was streamed', () => {
    const t = new TurnItems();
    const { events } = render([
      t.messageStart('m1'),
      t.blockStart('m1', 0),
      t.delta('m1', 0, 'Hel'),
      t.text('m1', 0, 'Hello'),
      t.end(),
    ]);
    expect(deltas(events)).toEqual(['Hel', 'lo']);
  });

  test('keeps a block behind the one before it until that one is complete', () => {
    const t = new TurnItems();
    const first = render([
      t.messageStart('m1'),
      t.blockStart('m1', 0),
      t.delta('m1', 0, 'one'),
      t.blockStart('m1', 1),
      t.delta('m1', 1, 'two'),
    ]);
    expect(deltas(first.events)).toEqual(['one']);
    const rest = first.renderer.push(t.text('m1', 0, 'one'));
    expect(types(rest)).toEqual([
      'content_block_stop',
      'content_block_start',
      'content_block_delta',
    ]);
  });

  test('closes a block without a record as soon as a later one has its record', () => {
    const t = new TurnItems();
    const { events } = render([
      t.messageStart('m1'),
      t.blockStart('m1', 0),
      t.delta('m1', 0, 'one'),
      t.blockStart('m1', 1),
      t.text('m1', 1, 'two'),
    ]);
    expect(deltas(events)).toEqual(['one', 'two']);
    expect(types(events).filter((type) => type === 'content_block_stop')).toHaveLength(2);
  });

  test('leaves out what subagents say', () => {
    const t = new TurnItems();
    const { message } = render([
      t.text('s1', 0, 'from inside', { parentToolUseId: 'tool_1' }),
      t.text('m1', 0, 'from outside'),
      t.end(),
    ]);
    expect(message?.content).toHaveLength(1);
  });

  test('is valid when it is empty', () => {
    const t = new TurnItems();
    const { events, message } = render([t.end()]);
    expect(types(events)).toEqual(['message_start', 'message_delta', 'message_stop']);
    expect(message?.content).toEqual([]);
  });

  test('takes nothing after its end', () => {
    const t = new TurnItems();
    const { renderer } = render([t.text('m1', 0, 'a'), t.end()]);
    expect(renderer.push(t.text('m1', 1, 'b'))).toEqual([]);
    expect(renderer.fail(new RoundhouseError('internal', 'late'))).toEqual([]);
    expect(renderer.open()).toEqual([]);
  });

  test.each([
    [{ reason: 'completed', stopReason: 'end_turn' }, 'end_turn'],
    [{ reason: 'completed', stopReason: 'tool_use' }, 'end_turn'],
    [{ reason: 'completed', stopReason: null }, 'end_turn'],
    [{ reason: 'completed', stopReason: 'stop_sequence' }, 'stop_sequence'],
    [{ reason: 'max_tokens', stopReason: null }, 'max_tokens'],
    [{ reason: 'refusal', stopReason: null }, 'refusal'],
    [{ reason: 'max_turns', stopReason: 'tool_use' }, 'pause_turn'],
  ] as const)('that ended with %j has the stop reason %s', (end, expected) => {
    const t = new TurnItems();
    const { message } = render([t.text('m1', 0, 'a'), t.end(end)]);
    expect(message?.stop_reason).toBe(expected);
  });
});

describe('thinking', () => {
  test('is hidden unless it was asked for', () => {
    expect(render(thinkingTurn()).message?.content).toEqual([
      { type: 'text', text: 'Yes.', citations: null },
    ]);
  });

  test('is shown with its signature when it was asked for', () => {
    const { events, message } = render(thinkingTurn(), { showThinking: true });
    expect(message?.content).toEqual([
      { type: 'thinking', thinking: 'Hmm.', signature: 'signed' },
      { type: 'text', text: 'Yes.', citations: null },
    ]);
    expect(types(events).filter((type) => type === 'content_block_delta')).toHaveLength(4);
  });
});

describe('the tool use of the agent', () => {
  test('shows as blocks that were run on the server', () => {
    expect(render(toolTurn(), { agentEvents: 'blocks' }).message?.content).toEqual([
      { type: 'text', text: 'Look.', citations: null },
      {
        type: 'mcp_tool_use',
        id: 'tool_1',
        name: 'Bash',
        server_name: 'claude-code',
        input: { command: 'ls' },
      },
      {
        type: 'mcp_tool_result',
        tool_use_id: 'tool_1',
        is_error: true,
        content: [{ type: 'text', text: 'no such\nfile', citations: null }],
      },
      { type: 'text', text: 'Done.', citations: null },
    ]);
  });

  test('shows as lines of text', () => {
    expect(deltas(render(toolTurn(), { agentEvents: 'text' }).events)).toEqual([
      'Look.',
      '\n[Bash] {"command":"ls"}\n',
      '\n[error] no such file\n',
      'Done.',
    ]);
  });
});

describe('a retry of the model call', () => {
  test('goes on silently when it repeats what was shown', () => {
    const t = new TurnItems();
    const { events, renderer } = render([
      ...shown(t),
      t.delta('m2', 0, 'The '),
      t.delta('m2', 0, 'answer is'),
      t.delta('m2', 0, ' 42.'),
      t.text('m2', 0, 'The answer is 42.'),
      t.end(),
    ]);
    expect(deltas(events)).toEqual(['The answer', ' is', ' 42.']);
    expect(types(events).filter((type) => type === 'message_start')).toHaveLength(1);
    expect(renderer.failure).toBeUndefined();
  });

  test('ends with one error as soon as it differs', () => {
    const t = new TurnItems();
    const { events, renderer } = render([
      ...shown(t),
      t.delta('m2', 0, 'Another'),
      t.text('m2', 0, 'Another answer'),
      t.end(),
    ]);
    expect(types(events)).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'error',
    ]);
    expect(renderer.failure?.kind.type).toBe('api_error');
  });

  test('shows nothing of an attempt that goes on differently', () => {
    const t = new TurnItems();
    const { events } = render([
      ...shown(t),
      t.delta('m2', 0, 'The '),
      t.delta('m2', 0, 'anchor is a long way down'),
      t.delta('m2', 0, ', says the sailor.'),
    ]);
    expect(deltas(events)).toEqual(['The answer']);
    expect(types(events).at(-1)).toBe('error');
  });

  test('ends with an error when what was shown never comes again', () => {
    const t = new TurnItems();
    expect(types(render([...shown(t).slice(0, 4), t.end()]).events).at(-1)).toBe('error');
    expect(
      types(render([...shown(t).slice(0, 4), t.text('m2', 0, 'The'), t.end()]).events).at(-1),
    ).toBe('error');
  });

  test('costs nothing when nothing had been shown', () => {
    const t = new TurnItems();
    const { message } = render([
      t.messageStart('m1'),
      t.blockStart('m1', 0),
      t.messageStart('m2'),
      ...t.streamedText('m2', 0, ['Fine.']),
      t.end(),
    ]);
    expect(message?.content).toHaveLength(1);
  });
});

describe('a turn that failed', () => {
  test('ends with one error event that leaves the open block as it is', () => {
    const t = new TurnItems();
    const { events, renderer } = render([
      t.messageStart('m1'),
      t.blockStart('m1', 0),
      t.delta('m1', 0, 'Hal'),
      t.end({
        reason: 'failed',
        error: { code: 'agent_died', message: 'The process died.', retryAfterSeconds: 2 },
      }),
    ]);
    expect(events.at(-1)).toEqual({
      type: 'error',
      error: {
        type: 'api_error',
        message: 'The process died.',
        details: { error_code: 'agent_died' },
      },
      request_id: 'req_1',
    });
    expect(types(events)).not.toContain('content_block_stop');
    expect(renderer.failure).toMatchObject({ code: 'agent_died', retryAfterSeconds: 2 });
  });

  test('is an error without a message before it when nothing was shown', () => {
    const t = new TurnItems();
    const { events, renderer } = render([t.user('go'), t.end({ reason: 'interrupted' })]);
    expect(types(events)).toEqual(['error']);
    expect(renderer.failure?.code).toBe('turn_interrupted');
  });

  test('can be opened before it has anything to show', () => {
    const t = new TurnItems();
    const { renderer } = render([t.user('go')]);
    expect(types(renderer.open())).toEqual(['message_start']);
    expect(renderer.open()).toEqual([]);
    expect(types(renderer.push(t.text('m1', 0, 'a')))[0]).toBe('content_block_start');
  });
});

test('an answer of which something is gone is an error, never a shorter answer', () => {
  const { events, renderer } = render([{ gap: { from: 1, to: 3 } }, ...thinkingTurn()]);
  expect(renderer.failure).toMatchObject({ code: 'reader_too_slow' });
  expect(types(events)).toEqual(['error']);
});
