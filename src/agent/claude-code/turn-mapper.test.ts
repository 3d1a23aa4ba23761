import { describe, expect, test } from 'vitest';

import type { MappedOutput } from './turn-mapper.ts';
import { recordedTurn } from './fixtures/recorded.ts';
import { TurnMapper } from './turn-mapper.ts';

function mapped(name: string): { outputs: MappedOutput[]; mapper: TurnMapper } {
  const mapper = new TurnMapper();
  const outputs = recordedTurn(name)
    .filter((message) => message.type !== 'result')
    .flatMap((message) => mapper.map(message));
  return { outputs: outputs.filter(({ kind }) => kind !== 'activity'), mapper };
}

/** A turn in one word per output. */
function outline(outputs: readonly MappedOutput[]): string[] {
  return outputs.map((output) => {
    if (output.kind === 'event') return output.body.type;
    return output.kind === 'preview' ? `~${output.preview.kind}` : output.kind;
  });
}

function withoutRepeats(words: readonly string[]): string[] {
  return words.filter((word, index) => word !== words[index - 1]);
}

function details(outputs: readonly MappedOutput[], type: string) {
  return outputs.flatMap((output) =>
    output.kind === 'event' && output.body.type === type ? [output.detail] : [],
  );
}

describe('what the messages of a turn become', () => {
  test('a text ends its preview before its record, and its request after it', () => {
    expect(withoutRepeats(outline(mapped('text').outputs))).toEqual([
      'span.model_request_start',
      '~message_start',
      '~block_start',
      '~text_delta',
      '~block_stop',
      'agent.message',
      'span.model_request_end',
    ]);
  });

  test('a record names the model message, its place in it and the transcript entry', () => {
    const [detail] = details(mapped('text').outputs, 'agent.message');
    expect(detail).toMatchObject({
      modelMessageId: 'msg_1',
      blockIndex: 0,
      model: 'claude-opus-5-5',
      transcriptUuid: expect.stringMatching(/^[\da-f-]{36}$/),
    });
  });

  test.each(['text', 'thinking', 'tool', 'parallel-tools', 'interrupted-text'])(
    'each preview of a block tells the id of the record that completes it: %s',
    (name) => {
      const { outputs } = mapped(name);
      const promised = outputs.flatMap((output) =>
        output.kind === 'preview' && output.preview.kind === 'block_start'
          ? [output.preview.eventId]
          : [],
      );
      const kept = outputs.flatMap((output) =>
        output.kind === 'event' && output.detail.blockIndex !== undefined ? [output.body.id] : [],
      );
      expect(promised.length).toBeGreaterThan(0);
      expect(kept).toEqual(promised);
      expect(new Set(kept).size).toBe(kept.length);
    },
  );

  test('a second record of the same block, or one of another kind, has an id of its own', () => {
    const turn = recordedTurn('text');
    const at = turn.findIndex((message) => message.type === 'assistant');
    const answer = turn[at];
    if (answer?.type !== 'assistant') throw new Error('The fixture has no answer.');
    const mapper = new TurnMapper();
    const outputs = [...turn.slice(0, at + 1), answer].flatMap((message) => mapper.map(message));
    const ids = outputs.flatMap((output) => (output.kind === 'event' ? [output.body.id] : []));
    expect(new Set(ids).size).toBe(ids.length);

    const thinking = { type: 'thinking', thinking: 'hm', signature: '' } as const;
    const other = { ...answer, message: { ...answer.message, content: [thinking] } };
    const again = new TurnMapper();
    const mixed = [...turn.slice(0, at), other, answer].flatMap((message) => again.map(message));
    const start = mixed.flatMap((output) =>
      output.kind === 'preview' && output.preview.kind === 'block_start'
        ? [output.preview.eventId]
        : [],
    );
    const message = mixed.flatMap((output) =>
      output.kind === 'event' && output.body.type === 'agent.message' ? [output.body.id] : [],
    );
    expect(message).toEqual(start);
  });

  test('the end of a request tells its usage and its stop reason', () => {
    const [detail] = details(mapped('text').outputs, 'span.model_request_end');
    expect(detail).toMatchObject({
      stopReason: 'end_turn',
      usage: { inputTokens: 10, outputTokens: 5 },
    });
  });

  test('thinking keeps its text and its signature', () => {
    const { outputs } = mapped('thinking');
    const [detail] = details(outputs, 'agent.thinking');
    expect(detail).toMatchObject({
      thinking: 'hmm, yes',
      thinkingSignature: 'c2ln',
      blockIndex: 0,
    });
    expect(details(outputs, 'agent.message')[0]).toMatchObject({ blockIndex: 1 });
  });

  test('a tool begins when the message that calls it is complete, and ends with its result', () => {
    const words = outline(mapped('tool').outputs).filter((word) => !word.startsWith('~'));
    expect(words).toEqual([
      'span.model_request_start',
      'agent.message',
      'agent.tool_use',
      'span.model_request_end',
      'tool_started',
      'agent.tool_result',
      'tool_finished',
      'span.model_request_start',
      'agent.message',
      'span.model_request_end',
    ]);
  });

  test('results refer to the records of their calls, also when there are several', () => {
    const { outputs } = mapped('parallel-tools');
    const uses = outputs.flatMap((output) =>
      output.kind === 'event' && output.body.type === 'agent.tool_use' ? [output.body.id] : [],
    );
    const results = outputs.flatMap((output) =>
      output.kind === 'event' && output.body.type === 'agent.tool_result'
        ? [output.body.tool_use_id]
        : [],
    );
    expect(uses).toHaveLength(2);
    expect(results).toEqual(uses);
  });

  test('a denied tool has a result that is an error', () => {
    const { outputs } = mapped('denied-tool');
    const result = outputs.find(
      (output) => output.kind === 'event' && output.body.type === 'agent.tool_result',
    );
    expect(result).toMatchObject({
      body: { is_error: true, content: [{ type: 'text', text: 'no' }] },
    });
  });

  test('a cut request ends as an error, and its repetition is a new message', () => {
    const words = withoutRepeats(outline(mapped('cut-and-retried').outputs));
    expect(words).toEqual([
      'span.model_request_start',
      '~message_start',
      '~block_start',
      '~text_delta',
      '~block_stop',
      'span.model_request_end',
      'session.status_rescheduled',
      'span.model_request_start',
      '~message_start',
      '~block_start',
      '~text_delta',
      '~block_stop',
      'agent.message',
      'span.model_request_end',
    ]);
  });

  test("the agent's own words about an error are no answer", () => {
    expect(outline(mapped('status-400').outputs)).toEqual([]);
  });

  test('a repetition is announced with its wait and the status that caused it', () => {
    const { outputs, mapper } = mapped('status-429');
    expect(details(outputs, 'session.status_rescheduled')[0]).toEqual({
      retry: { attempt: 1, maxAttempts: 2, waitMs: expect.any(Number), status: 429 },
    });
    expect(mapper.lastRetry).toMatchObject({ attempt: 2 });
  });

  test('what an interrupted message had shown becomes a record', () => {
    const { outputs, mapper } = mapped('interrupted-text');
    expect(outline(outputs).slice(-3)).toEqual([
      '~block_stop',
      'agent.message',
      'span.model_request_end',
    ]);
    expect(outputs.at(-1)).toMatchObject({ body: { is_error: true } });
    expect(mapper.stopReason).toBeNull();
  });

  test("a subagent's work names the call it happened in, and shows no previews", () => {
    const { outputs } = mapped('subagent');
    const nested = outputs.filter(
      (output) => output.kind === 'event' && output.detail.parentToolUseId !== undefined,
    );
    expect(outline(nested)).toEqual(['agent.tool_use', 'agent.tool_result']);
    expect(outline(outputs).filter((word) => word.startsWith('tool_'))).toEqual([
      'tool_started',
      'tool_finished',
    ]);
  });

  test('a compaction is told', () => {
    expect(outline(mapped('compacted').outputs)).toContain('agent.thread_context_compacted');
  });

  test('an open message is closed as an error when the turn ends without it', () => {
    const mapper = new TurnMapper();
    for (const message of recordedTurn('text').slice(0, 7)) mapper.map(message);
    expect(outline(mapper.close())).toEqual(['~block_stop', 'span.model_request_end']);
    expect(mapper.close()).toEqual([]);
  });

  test('a ping is no sign of life', () => {
    const [first] = recordedTurn('text').filter((message) => message.type === 'stream_event');
    const ping = { ...first, event: { type: 'ping' } };
    // The SDK's types have no ping, so it comes as it would from the wire.
    expect(new TurnMapper().map(JSON.parse(JSON.stringify(ping)))).toEqual([]);
  });
});
