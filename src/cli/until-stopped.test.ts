import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';

import { runUntilStopped } from './until-stopped.ts';

function world(): { signals: EventEmitter; stderr: PassThrough } {
  return { signals: new EventEmitter(), stderr: new PassThrough() };
}

/** A server that notes what is done to it, and drains when it is told to. */
function server(): {
  calls: string[];
  drained: PromiseWithResolvers<void>;
  drain(reason: string): Promise<void>;
  close(): Promise<void>;
} {
  const calls: string[] = [];
  const drained = Promise.withResolvers<void>();
  return {
    calls,
    drained,
    drain: (reason) => {
      calls.push(`drain ${reason}`);
      return drained.promise;
    },
    close: () => {
      calls.push('close');
      return Promise.resolve();
    },
  };
}

it('drains at the first signal, then closes and ends with 0', async () => {
  const context = world();
  const running = server();
  const ready = Promise.withResolvers<void>();
  const ended = runUntilStopped(
    () => Promise.resolve(running),
    () => ready.resolve(),
    context,
  );
  await ready.promise;
  context.signals.emit('SIGTERM');
  await once(context.stderr, 'data');
  running.drained.resolve();
  expect(await ended).toBe(0);
  expect(running.calls).toEqual(['drain SIGTERM', 'close']);
  expect(context.signals.listenerCount('SIGTERM')).toBe(0);
});

it('closes at once at the second signal, and ends with 1', async () => {
  const context = world();
  const running = server();
  const ready = Promise.withResolvers<void>();
  const ended = runUntilStopped(
    () => Promise.resolve(running),
    () => ready.resolve(),
    context,
  );
  await ready.promise;
  context.signals.emit('SIGINT');
  await once(context.stderr, 'data');
  context.signals.emit('SIGTERM');
  expect(await ended).toBe(1);
  expect(running.calls).toEqual(['drain SIGINT', 'close']);
});

it('drains as soon as it is up when the signal came during the start', async () => {
  const context = world();
  const running = server();
  running.drained.resolve();
  const starting = Promise.withResolvers<typeof running>();
  const ended = runUntilStopped(
    () => starting.promise,
    () => {},
    context,
  );
  context.signals.emit('SIGTERM');
  starting.resolve(running);
  expect(await ended).toBe(0);
  expect(running.calls).toEqual(['drain SIGTERM', 'close']);
});

it('does not wait for a start that hangs when a second signal comes', async () => {
  const context = world();
  const ended = runUntilStopped(
    () => new Promise<ReturnType<typeof server>>(() => {}),
    () => {},
    context,
  );
  context.signals.emit('SIGTERM');
  context.signals.emit('SIGTERM');
  expect(await ended).toBe(1);
});

it('rejects with what made the start fail', async () => {
  const failed = Promise.reject(new Error('no port'));
  await expect(
    runUntilStopped(
      () => failed,
      () => {},
      world(),
    ),
  ).rejects.toThrow('no port');
});

it('ends with 0 when the server was drained by somebody else', async () => {
  const context = world();
  const running = { ...server(), stopped: Promise.resolve() };
  const ended = runUntilStopped(
    () => Promise.resolve(running),
    () => {},
    context,
  );
  expect(await ended).toBe(0);
  expect(running.calls).toEqual(['close']);
  expect(context.signals.listenerCount('SIGTERM')).toBe(0);
});

it('ends with 1 when such a drain failed', async () => {
  const stopped = Promise.reject(new Error('disk'));
  const running = { ...server(), stopped };
  const context = world();
  const ended = runUntilStopped(
    () => Promise.resolve(running),
    () => {},
    context,
  );
  expect(await ended).toBe(1);
  expect(String(context.stderr.read())).toContain('disk');
});
