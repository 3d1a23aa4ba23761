import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PING_FRAME } from './events.ts';
import type { WireStep } from './events.ts';
import { playStream } from './stream.ts';

const FRAME = 'event: x\ndata: {}\n\n';
const PIECE: WireStep = { do: 'send', frame: FRAME, paced: true };

/** A response without a network whose writes are recorded. */
function recorded(takesMore = true): { response: ServerResponse; writes: string[] } {
  const response = new ServerResponse(new IncomingMessage(new Socket()));
  const writes: string[] = [];
  vi.spyOn(response, 'write').mockImplementation((chunk: unknown) => {
    writes.push(String(chunk));
    return takesMore;
  });
  return { response, writes };
}

describe('playStream', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test('puts events together into few writes when nothing waits between them', async () => {
    const { response, writes } = recorded();
    const steps = Array.from({ length: 2000 }, () => PIECE);
    await playStream(response, steps, { delayMs: 0, gone: new AbortController().signal });
    expect(writes.join('')).toBe(FRAME.repeat(2000));
    expect(writes.length).toBeLessThan(5);
    expect(response.writableEnded).toBe(true);
  });

  test('waits before each piece of content', async () => {
    const { response, writes } = recorded();
    const gone = new AbortController().signal;
    const playing = playStream(response, [PIECE, PIECE, PIECE], { delayMs: 50, gone });
    await vi.advanceTimersByTimeAsync(149);
    expect(writes).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    await playing;
    expect(writes).toHaveLength(3);
  });

  test('writes no further until the client has read', async () => {
    const { response, writes } = recorded(false);
    const steps = Array.from({ length: 2000 }, () => PIECE);
    const playing = playStream(response, steps, { delayMs: 0, gone: new AbortController().signal });
    expect(writes).toHaveLength(1);
    response.emit('drain');
    await vi.advanceTimersByTimeAsync(0);
    expect(writes).toHaveLength(2);
    response.emit('drain');
    await vi.advanceTimersByTimeAsync(0);
    response.emit('drain');
    await playing;
    expect(writes.join('')).toBe(FRAME.repeat(2000));
  });

  test.each<[string, WireStep[], number]>([
    ['hanging', [PIECE, { do: 'hang' }], 0],
    ['waiting for its next piece', [PIECE, PIECE], 1e6],
    ['pinging', [{ do: 'ping-forever', everyMs: 1e6 }], 0],
  ])('ends as soon as the client goes while it is %s', async (_, steps, delayMs) => {
    const { response } = recorded();
    const controller = new AbortController();
    const playing = playStream(response, steps, { delayMs, gone: controller.signal });
    await vi.advanceTimersByTimeAsync(0);
    controller.abort();
    await playing;
    expect(response.writableEnded).toBe(false);
  });

  test('ends when the client goes without having read', async () => {
    const { response } = recorded(false);
    const controller = new AbortController();
    const playing = playStream(response, [PIECE], { delayMs: 0, gone: controller.signal });
    controller.abort();
    await playing;
    expect(response.listenerCount('drain')).toBe(0);
  });

  test('pings at its interval', async () => {
    const { response, writes } = recorded();
    const controller = new AbortController();
    const steps: WireStep[] = [{ do: 'ping-forever', everyMs: 100 }];
    const playing = playStream(response, steps, { delayMs: 0, gone: controller.signal });
    await vi.advanceTimersByTimeAsync(350);
    expect(writes).toEqual([PING_FRAME, PING_FRAME, PING_FRAME]);
    controller.abort();
    await playing;
  });
});
