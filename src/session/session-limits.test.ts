import { expect, test, vi } from 'vitest';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, HANGS_DEAF, scriptOf, worksFor } from '../../test/support/scripts.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';

useFakeClock();

const HANGING = { script: scriptOf({ long: HANGS }) };

/** How long a turn that falls silent lasts on the session. */
async function silenceOf(
  fixture: PoolFixture,
  limits: { session?: Partial<TurnLimits>; turn?: Partial<TurnLimits> } = {},
): Promise<number> {
  const client = await fixture.pool.getSessionClient('a', { limits: limits.session ?? {} });
  const handle = await client.prompt(text('long'), { limits: limits.turn ?? {} });
  const since = performance.now();
  let ms = 0;
  void handle.ended.then(() => (ms = performance.now() - since));
  await pass(100_000);
  return ms;
}

test('the limit of a turn goes before that of its session, and that before the configured one', async () => {
  const fixture = makePool({ limits: { silenceMs: 30_000 }, driver: HANGING });
  expect(await silenceOf(fixture)).toBe(30_000);
  expect(await silenceOf(fixture, { session: { silenceMs: 20_000 } })).toBe(20_000);
  expect(await silenceOf(fixture, { turn: { silenceMs: 10_000 } })).toBe(10_000);
  // That of the turn was for the turn only, and what is left out is inherited.
  expect(await silenceOf(fixture, { session: { toolMs: 5_000 } })).toBe(20_000);
  expect((await fixture.pool.getSessionInfo('default', 'a'))?.limits).toEqual({
    silenceMs: 20_000,
    toolMs: 5_000,
  });
});

test('the limits of a session outlive the host, also when a session of that name is only found again', async () => {
  const first = makePool({ driver: HANGING });
  await first.pool.getSessionClient('a', { limits: { silenceMs: 20_000 } });
  await first.pool.close();
  const second = makePool({ store: first.store, host: first.host, driver: HANGING });
  await second.pool.recover();
  expect(await silenceOf(second)).toBe(20_000);
});

test('limits that are equal change nothing, in the store either', async () => {
  const fixture = makePool();
  await fixture.pool.getSessionClient('a', { limits: { silenceMs: 20_000 } });
  const append = vi.spyOn(fixture.store, 'append');
  await fixture.pool.getSessionClient('a', { limits: { silenceMs: 20_000 } });
  await fixture.pool.getSessionClient('a', {});
  expect(append).not.toHaveBeenCalled();
  await fixture.pool.getSessionClient('a', { limits: { silenceMs: 20_001 } });
  expect(append).toHaveBeenCalledTimes(1);
});

test('a prompt that is too late while it is being kept, and whose caller leaves too, ends once and holds up nobody', async () => {
  const fixture = makePool({ limits: { queuedMs: 100 } });
  const client = await fixture.pool.getSessionClient('a');
  const kept = Promise.withResolvers<void>();
  const append = fixture.store.append.bind(fixture.store);
  vi.spyOn(fixture.store, 'append').mockImplementationOnce(async (...call) => {
    await kept.promise;
    return append(...call);
  });
  const caller = new AbortController();
  const prompted = client.prompt(text('late'), { signal: caller.signal });
  await pass(200);
  caller.abort();
  kept.resolve();
  const { ended } = await prompted;
  await settle();
  expect(client.busy).toBe(false);
  expect(await ended).toMatchObject({ reason: 'failed', error: { code: 'queue_timeout' } });
  expect(await ask(fixture, 'a', 'and now')).toContain('You said: and now');
});

test('a start has the limit of its session, or of the turn that needs it', async () => {
  const fixture = makePool({ driver: { startMs: 8_000 } });
  const refused = fixture.pool
    .getSessionClient('a', { limits: { startMs: 5_000 } })
    .catch((error: unknown) => error);
  await pass(5_000);
  expect(await refused).toMatchObject({ code: 'session_connection_failed' });
  const patient = fixture.pool.getSessionClient('b', { limits: { startMs: 9_000 } });
  await pass(8_000);
  const client = await patient;
  await client.disconnect('test');
  const handle = await client.prompt(text('hello'), { limits: { startMs: 7_000 } });
  await pass(7_000);
  expect((await handle.ended).error?.code).toBe('session_connection_failed');
});

test('a prompt waits behind others, and an interrupt is waited for, as long as the session allows', async () => {
  const fixture = makePool({
    driver: { script: scriptOf({ long: worksFor(20_000), deaf: HANGS_DEAF }) },
  });
  const client = await fixture.pool.getSessionClient('a', {
    limits: { queuedMs: 3_000, interruptMs: 1_000 },
  });
  await client.prompt(text('long'));
  const behind = await client.prompt(text('behind'));
  await pass(3_000);
  expect((await behind.ended).error?.code).toBe('queue_timeout');
  await pass(17_000);
  const deaf = await client.prompt(text('deaf'), { limits: { interruptMs: 60_000 } });
  await settle();
  void deaf.interrupt();
  const again = fixture.pool.getSessionClient('a');
  await pass(1_000);
  expect((await again).status).toBe('idle');
});

test.each([
  ['out of bounds', { silenceMs: 1 }],
  ['not a number', { silenceMs: Number.NaN }],
])('limits that are %s are refused by name, and nothing is kept', async (_what, limits) => {
  const fixture = makePool();
  const refusal = await fixture.pool
    .getSessionClient('a', { limits })
    .catch((error: unknown) => error);
  expect(refusal).toMatchObject({ code: 'invalid_request' });
  expect(String(refusal)).toContain('silenceMs');
  expect(await fixture.pool.getSessionInfo('default', 'a')).toBeUndefined();
  const client = await fixture.pool.getSessionClient('a');
  await expect(client.prompt(text('hello'), { limits })).rejects.toMatchObject({
    code: 'invalid_request',
  });
  expect(client.busy).toBe(false);
  expect(await ask(fixture, 'a', 'next')).toBe('You said: next. Before: nothing.');
});
