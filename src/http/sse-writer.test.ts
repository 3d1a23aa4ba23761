import type { EventEmitter } from 'node:events';
import { ServerResponse, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sseEvent, SseWriter } from './sse-writer.ts';

/** A response that takes what it is given, or not, and keeps it. */
class FakeResponse extends ServerResponse {
  readonly writes: string[] = [];
  takes = true;

  constructor() {
    super(new IncomingMessage(new Socket()));
  }

  override flushHeaders(): void {}

  override write(chunk: unknown): boolean {
    this.writes.push(String(chunk));
    return this.takes;
  }
}

const options = { headers: {}, heartbeat: ': beat\n\n', heartbeatMs: 100, readerMaxLagMs: 1_000 };
const nextTick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('an SSE writer', () => {
  test('puts what is sent in one tick into one write, also across awaits', async () => {
    const response = new FakeResponse();
    const writer = new SseWriter(response, options);
    for (const name of ['a', 'b', 'c']) {
      writer.send(sseEvent(name, '1'));
      await Promise.resolve();
    }
    await nextTick();
    expect(response.writes).toEqual([
      'event: a\ndata: 1\n\nevent: b\ndata: 1\n\nevent: c\ndata: 1\n\n',
    ]);
    writer.end();
  });

  test('writes large amounts at once, so that a blocked client is seen', async () => {
    const response = new FakeResponse();
    response.takes = false;
    const writer = new SseWriter(response, options);
    writer.send('x'.repeat(70_000));
    expect(writer.blocked).toBe(true);
    const drained = writer.drained();
    response.emit('drain');
    await drained;
    expect(writer.blocked).toBe(false);
    writer.end();
  });

  test('stops waiting when the client goes', async () => {
    const response = new FakeResponse();
    response.takes = false;
    const writer = new SseWriter(response, options);
    writer.send('x'.repeat(70_000));
    const drained = writer.drained();
    response.emit('close');
    await drained;
    expect(writer.closed).toBe(true);
    writer.send('late');
    await nextTick();
    expect(response.writes).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('cuts a client that takes nothing for too long', () => {
    const response = new FakeResponse();
    response.takes = false;
    const writer = new SseWriter(response, options);
    const destroy = vi.spyOn(response, 'destroy');
    response.on('error', () => {});
    writer.send('x'.repeat(70_000));
    vi.advanceTimersByTime(999);
    expect(destroy).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(destroy).toHaveBeenCalledOnce();
    response.emit('close');
  });

  test('beats while the client takes what it gets, and only then', async () => {
    const response = new FakeResponse();
    const writer = new SseWriter(response, options);
    vi.advanceTimersByTime(250);
    await nextTick();
    expect(response.writes.join('')).toBe(': beat\n\n: beat\n\n');
    response.takes = false;
    writer.send('x'.repeat(70_000));
    vi.advanceTimersByTime(500);
    await nextTick();
    expect(response.writes).toHaveLength(2);
    response.emit('close');
  });

  test('leaves no timer and no listener behind', () => {
    const response = new FakeResponse();
    const before = listeners(response);
    const writer = new SseWriter(response, options);
    writer.end();
    writer.end();
    response.emit('close');
    expect(vi.getTimerCount()).toBe(0);
    expect(listeners(response)).toBe(before);
  });
});

function listeners(emitter: EventEmitter): number {
  return ['drain', 'close'].reduce((sum, name) => sum + emitter.listenerCount(name), 0);
}
