import { expect, test, vi } from 'vitest';
import { checkStream } from './stream-check.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { oversleep, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text } from '../../test/support/pool-fixture.ts';
import { HANGS, HANGS_DEAF, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

/** Names of what a check logged, apart from the pool's own log. */
function makeTelemetry() {
  const seen: string[] = [];
  const note = (event: string): void => void seen.push(event);
  const telemetry: Telemetry = {
    log: { debug: note, info: note, warn: note, error: note },
    metrics: { count: () => {}, observe: () => {} },
  };
  return { seen, telemetry };
}

test('a session without a stream is left alone', async () => {
  const fixture = makePool();
  const client = await fixture.pool.getSessionClient('a');
  const { seen, telemetry } = makeTelemetry();
  await checkStream(client, telemetry);
  expect(seen).toEqual([]);
});

test('a healthy running turn is looked at and left alone', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('a');
  const handle = await client.prompt(text('long'));
  await settle();
  const { seen, telemetry } = makeTelemetry();
  await checkStream(client, telemetry);
  expect(seen).toEqual(['session_pool_active_stream_detected']);
  expect(handle.phase).toBe('streaming');
});

test('a stream that is cleared is cleared once', async () => {
  const fixture = makePool();
  await ask(fixture, 'a', 'one');
  const client = await fixture.pool.getSessionClient('b');
  await (
    await client.prompt(text('one'))
  ).ended;
  const { seen, telemetry } = makeTelemetry();
  await checkStream(client, telemetry);
  await checkStream(client, telemetry);
  expect(seen).toEqual([
    'session_pool_active_stream_detected',
    'session_pool_clearing_recent_stream',
    'session_pool_stream_cleared',
  ]);
  expect(client.stream).toBeUndefined();
});

test('the wait for a turn that has to be stopped ends with its signal; the stopping goes on', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS_DEAF }) } });
  const client = await fixture.pool.getSessionClient('a');
  await client.prompt(text('long'));
  await settle();
  oversleep(100_000);
  const { seen, telemetry } = makeTelemetry();
  const abort = new AbortController();
  const check = checkStream(client, telemetry, abort.signal);
  abort.abort(new Error('left'));
  await expect(check).rejects.toThrow('left');
  expect(seen).toEqual(['session_pool_active_stream_detected']);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(client.busy).toBe(false);
});
