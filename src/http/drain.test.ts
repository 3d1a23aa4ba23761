import { expect, test } from 'vitest';
import { createApp } from './app.ts';
import { sseEvents } from './testing/test-app.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

/** An app on a real pool with a scripted agent, whose drain is the pool's. */
function drainable() {
  const fixture = makePool({
    driver: { script: scriptOf({ long: HANGS }) },
    limits: { silenceMs: 600_000 },
  });
  const drained = Promise.withResolvers<void>();
  const app = createApp({
    pool: fixture.pool,
    telemetry: NO_TELEMETRY,
    options: {
      keys: [],
      models: ['claude-a'],
      maxBodyBytes: 100_000,
      statusHoldMs: 100,
      heartbeatMs: 600_000,
      readerMaxLagMs: 600_000,
      oneShotGraceMs: 0,
    },
    drain: () => {
      drained.resolve(fixture.pool.drain(20_000));
      return { deadlineMs: 20_000 };
    },
  });
  const prompt = (text: string) =>
    app.inject({
      method: 'POST',
      url: '/sessions/a/v1/messages',
      payload: { stream: true, max_tokens: 1, messages: [{ role: 'user', content: text }] },
    });
  return { app, ...fixture, prompt, drained: drained.promise };
}

test('a drain refuses new turns, ends a running one with overloaded_error and tells the readers to come back', async () => {
  const { app, prompt, drained, ...fixture } = drainable();
  await ask({ ...fixture }, 'a', 'one');
  const reading = app.inject({
    url: '/sessions/a/events',
    headers: { accept: 'text/event-stream' },
  });
  const running = prompt('long');
  await settle();
  await pass(1_000);

  const drain = { method: 'POST', url: '/admin/drain' } as const;
  const asked = await Promise.all([app.inject(drain), app.inject(drain)]);
  expect(asked.map(({ statusCode }) => statusCode)).toEqual([202, 202]);
  const refused = await prompt('two');
  expect([refused.statusCode, refused.headers['retry-after']]).toEqual([503, '1']);
  const ready = await app.inject('/health/ready');
  expect([ready.statusCode, ready.json()]).toEqual([
    503,
    { ready: false, reason: expect.stringContaining('shutting down') },
  ]);

  await pass(20_000);
  await pass(6_000);
  await drained;
  expect(sseEvents((await running).body).at(-1)).toMatchObject({
    event: 'error',
    data: {
      error: { type: 'overloaded_error', message: expect.stringContaining('shutting down') },
    },
  });
  const events = sseEvents((await reading).body);
  const lastNumber = Number(events.findLast(({ id }) => id !== undefined)?.id);
  expect(events.at(-1)).toMatchObject({
    event: 'end',
    data: { reason: 'draining', reconnect: true, lastNumber },
  });
  expect(lastNumber).toBeGreaterThan(5);
});

test('a reader of a session that is deleted is told not to come back', async () => {
  const { app, ...fixture } = drainable();
  await ask({ ...fixture }, 'a', 'one');
  const reading = app.inject({
    url: '/sessions/a/events',
    headers: { accept: 'text/event-stream' },
  });
  await settle();
  await pass(10);
  await app.inject({ method: 'DELETE', url: '/sessions/a' });
  expect(sseEvents((await reading).body).at(-1)).toMatchObject({
    event: 'end',
    data: { reason: 'session_ended', reconnect: false },
  });
});
