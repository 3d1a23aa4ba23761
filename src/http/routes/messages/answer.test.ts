import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { streamAnswer } from './answer.ts';
import { MessageRenderer } from '../../../dialects/anthropic-messages/render.ts';
import { TurnItems } from '../../../dialects/testing/log-items.ts';
import type { LogItem } from '../../../events/preview.ts';
import { sseEvent } from '../../sse-writer.ts';

/** A response without a connection: it keeps what it is given, and says whether it takes more. */
class FakeResponse extends ServerResponse {
  written = '';
  takes = true;

  constructor() {
    super(new IncomingMessage(new Socket()));
  }

  override flushHeaders(): void {}

  override write(chunk: unknown): boolean {
    this.written += String(chunk);
    return this.takes;
  }
}

const options = {
  keys: [],
  models: ['m'],
  maxBodyBytes: 1_000,
  statusHoldMs: 60_000,
  heartbeatMs: 60_000,
  readerMaxLagMs: 60_000,
  oneShotGraceMs: 0,
};

/** Streams a turn that comes in these batches. */
function stream(...batches: readonly (readonly LogItem[])[]) {
  const response = new FakeResponse();
  const gone = new AbortController();
  let opened = false;
  const done = streamAnswer(
    {
      batches: (async function* () {
        yield* batches;
      })(),
      renderer: new MessageRenderer({
        turnId: 'turn_a',
        requestId: 'req_1',
        model: 'm',
        agentEvents: 'hide',
        showThinking: false,
      }),
      gone: gone.signal,
    },
    options,
    () => {
      opened = true;
      return { response, headers: {} };
    },
  );
  return { response, done, gone, opened: () => opened };
}

const DIED = { reason: 'failed', error: { code: 'agent_died', message: 'It died.' } } as const;

test('a text and the failure behind it are both shown, also when they come together', async () => {
  const t = new TurnItems();
  const { response, done } = stream([
    t.messageStart('m1'),
    t.blockStart('m1', 0),
    t.delta('m1', 0, 'Half'),
    t.end(DIED),
  ]);
  expect(await done).toBeUndefined();
  expect(response.written).toContain('"text":"Half"');
  expect(response.written).toContain('It died.');
});

test('a failure before any text opens no stream, and tells whether an agent had the prompt', async () => {
  const t = new TurnItems();
  const { done, opened } = stream([t.user('hi'), t.delivered(), t.end(DIED)]);
  expect(await done).toMatchObject({ error: { code: 'agent_died' }, delivered: true });
  expect(opened()).toBe(false);
});

test('the event of a text delta is the one that JSON.stringify makes, whatever the text', async () => {
  const t = new TurnItems();
  const text = '"\\\n\r\t\u2028\u0000 naïve 🚂 \ud800 </script>';
  const { response, done } = stream([
    t.messageStart('m1'),
    t.blockStart('m1', 0),
    t.delta('m1', 0, text),
    t.end(),
  ]);
  await done;
  const delta = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } };
  expect(response.written).toContain(sseEvent('content_block_delta', JSON.stringify(delta)));
});

test('of a great batch only a part is made for a client that takes nothing', async () => {
  const t = new TurnItems();
  const text = 'x'.repeat(1_000);
  const deltas = Array.from({ length: 5_000 }, () => t.delta('m1', 0, text));
  const { response, done, gone } = stream([
    t.messageStart('m1'),
    t.blockStart('m1', 0),
    ...deltas,
    t.end(),
  ]);
  response.takes = false;
  await new Promise((resolve) => setImmediate(resolve));
  expect(response.written.length).toBeGreaterThan(64_000);
  expect(response.written.length).toBeLessThan(500_000);
  gone.abort();
  response.emit('close');
  await done;
});
