import { expect, test } from 'vitest';
import { OpenMessage } from './open-message.ts';
import type { Preview, PreviewBlock } from '../events/preview.ts';

const START: Preview = { kind: 'message_start', messageId: 'm1', model: 'x', inputTokens: 3 };

function blockStart(index: number, block: PreviewBlock): Preview {
  return { kind: 'block_start', messageId: 'm1', index, block, eventId: `sevt_${index}` };
}

function observed(...previews: Preview[]): OpenMessage {
  const message = new OpenMessage();
  for (const preview of previews) message.observe('t1', preview);
  return message;
}

function snapshotOf(message: OpenMessage): Preview[] {
  return message.snapshot().map(({ preview }) => preview);
}

test('nothing is open before a message starts and after it is cleared', () => {
  const message = observed();
  expect(message.snapshot()).toEqual([]);
  message.observe('t1', START);
  expect(message.snapshot()).toEqual([{ turnId: 't1', preview: START }]);
  message.clear();
  expect(message.snapshot()).toEqual([]);
});

test('each kind of block is summed up in one delta of its own kind', () => {
  const message = observed(
    START,
    blockStart(0, { type: 'thinking' }),
    { kind: 'thinking_delta', messageId: 'm1', index: 0, text: 'h' },
    { kind: 'thinking_delta', messageId: 'm1', index: 0, text: 'm' },
    { kind: 'block_stop', messageId: 'm1', index: 0 },
    blockStart(1, { type: 'text' }),
    { kind: 'text_delta', messageId: 'm1', index: 1, text: 'a' },
    { kind: 'text_delta', messageId: 'm1', index: 1, text: 'b' },
    blockStart(2, { type: 'tool_use', toolUseId: 'tu1', name: 'Bash' }),
    { kind: 'tool_input_delta', messageId: 'm1', index: 2, json: '{"a"' },
    { kind: 'tool_input_delta', messageId: 'm1', index: 2, json: ':1}' },
  );
  expect(snapshotOf(message)).toEqual([
    START,
    blockStart(0, { type: 'thinking' }),
    { kind: 'thinking_delta', messageId: 'm1', index: 0, text: 'hm' },
    { kind: 'block_stop', messageId: 'm1', index: 0 },
    blockStart(1, { type: 'text' }),
    { kind: 'text_delta', messageId: 'm1', index: 1, text: 'ab' },
    blockStart(2, { type: 'tool_use', toolUseId: 'tu1', name: 'Bash' }),
    { kind: 'tool_input_delta', messageId: 'm1', index: 2, json: '{"a":1}' },
  ]);
});

test('a block leaves with its record, one of another message does not', () => {
  const message = observed(START, blockStart(0, { type: 'text' }), blockStart(1, { type: 'text' }));
  message.completeBlock('m0', 0);
  message.completeBlock('m1', undefined);
  expect(snapshotOf(message)).toHaveLength(3);
  message.completeBlock('m1', 0);
  expect(snapshotOf(message)).toEqual([START, blockStart(1, { type: 'text' })]);
});

test('a message that starts anew takes back what was written', () => {
  const message = observed(START, blockStart(0, { type: 'text' }));
  const again: Preview = { ...START, messageId: 'm2' };
  message.observe('t2', again);
  expect(message.snapshot()).toEqual([{ turnId: 't2', preview: again }]);
});
