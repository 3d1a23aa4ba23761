import { expect } from 'vitest';
import type { AgentOutput } from '../../../src/contracts/agent-driver.ts';

/** The rules of order that hold for every turn of every driver. */
export function checkOrder(outputs: readonly AgentOutput[]): void {
  const ends = outputs.filter((output) => output.kind === 'ended');
  expect(ends, 'a turn has exactly one end').toHaveLength(1);
  expect(outputs.at(-1)?.kind, 'the end is the last output').toBe('ended');
  const speaking = outputs.filter(
    (output) => output.kind !== 'ended' && output.kind !== 'transcript_stale',
  );
  if (speaking.length > 0) expect(speaking[0]?.kind, 'the prompt is taken first').toBe('accepted');

  const completed = new Set<string>();
  const open = new Set<string>();
  const promised = new Map<string, string>();
  const running = new Set<string>();
  const requests = new Set<string>();
  for (const output of outputs) {
    if (output.kind === 'preview' && output.preview.kind !== 'message_start') {
      const { kind, messageId, index } = output.preview;
      const block = `${messageId}/${index}`;
      expect(completed.has(block), `no preview of ${block} after its record`).toBe(false);
      if (kind === 'block_start') {
        open.add(block);
        promised.set(block, output.preview.eventId);
      } else expect(open.has(block), `${kind} of ${block} within the block`).toBe(true);
      if (kind === 'block_stop') open.delete(block);
    }
    if (output.kind === 'event' && output.detail.blockIndex !== undefined) {
      const block = `${output.detail.modelMessageId}/${output.detail.blockIndex}`;
      expect(open.has(block), `${block} has stopped before its record`).toBe(false);
      expect(output.body.id, `the record of ${block} has the id that its preview told`).toBe(
        promised.get(block),
      );
      completed.add(block);
    }
    if (output.kind === 'event' && output.body.type === 'span.model_request_start')
      requests.add(output.body.id);
    if (output.kind === 'event' && output.body.type === 'span.model_request_end')
      expect(requests.delete(output.body.model_request_start_id)).toBe(true);
    if (output.kind === 'tool_started') running.add(output.toolUseId);
    if (output.kind === 'tool_finished') expect(running.delete(output.toolUseId)).toBe(true);
  }
  expect(requests.size, 'every model request has its end').toBe(0);
}
