import { beforeEach, expect, test } from 'vitest';
import { DeathWatch } from './death-watch.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool } from '../../test/support/pool-fixture.ts';
import { scriptOf } from '../../test/support/scripts.ts';
import { monotonicMs } from '../time/clock.ts';
import { NO_TELEMETRY } from '../telemetry/telemetry.ts';

useFakeClock();

let lines: string[];
let watch: DeathWatch;

beforeEach(() => {
  lines = [];
  watch = new DeathWatch({
    maxDeaths: 4,
    deathsPeriodMs: 60_000,
    telemetry: {
      ...NO_TELEMETRY,
      log: {
        ...NO_TELEMETRY.log,
        error: (event) => lines.push(event),
        info: (event) => lines.push(event),
      },
    },
  });
});

function die(times: number): void {
  for (let time = 0; time < times; time += 1) watch.noteDeath();
}

test('deaths that are spread over more than the period are nothing to worry about', async () => {
  for (let time = 0; time < 20; time += 1) {
    die(1);
    await pass(20_000);
    expect(watch.reason).toBeUndefined();
  }
  expect(lines).toEqual([]);
});

test('too many deaths in the period degrade the pool, which is logged once, and pass with the period', async () => {
  die(3);
  expect(watch.reason).toBeUndefined();
  die(10);
  expect(watch.reason).toContain('4 or more agent processes died by themselves within 60000 ms');
  await pass(59_999);
  expect(lines).toEqual(['pool_degraded']);
  // Nobody asks: it is in the log all the same.
  await pass(1);
  expect(lines).toEqual(['pool_degraded', 'pool_recovered']);
  expect(watch.reason).toBeUndefined();
});

test('it stays degraded until half as many deaths are left', async () => {
  die(1);
  await pass(30_000);
  die(3);
  await pass(30_000);
  // Three are left in the period, which would not have degraded it.
  expect(watch.reason).toBeDefined();
  await pass(30_000);
  expect(watch.reason).toBeUndefined();
  die(3);
  expect(watch.reason).toBeUndefined();
});

test('while it is degraded starts go one after the other, and one whose turn is too far off is refused', async () => {
  const none = new AbortController().signal;
  const started: number[] = [];
  await watch.waitToStart(none, 0);
  die(4);
  const sinceMs = monotonicMs();
  const starts = [1, 2, 3].map(async () => {
    await watch.waitToStart(none, 30_000);
    started.push(monotonicMs() - sinceMs);
  });
  await expect(watch.waitToStart(none, 30_000)).rejects.toMatchObject({
    code: 'session_connection_failed',
    retryAfterSeconds: 45,
  });
  await pass(30_000);
  await Promise.all(starts);
  expect(started).toEqual([0, 15_000, 30_000]);
});

test('a start that is given up while it waits ends at once', async () => {
  die(4);
  const leaving = new AbortController();
  await watch.waitToStart(leaving.signal, 30_000);
  const waiting = watch.waitToStart(leaving.signal, 30_000);
  leaving.abort(new Error('left'));
  await expect(waiting).rejects.toThrow('left');
  const next = watch.waitToStart(new AbortController().signal, 30_000);
  await pass(15_000);
  await next;
});

test('the server is not ready while processes keep dying, and ready again when the period has passed', async () => {
  const fixture = makePool({
    pool: { maxDeaths: 3, deathsPeriodMs: 60_000 },
    driver: { script: scriptOf({ dies: { steps: [{ die: 'SIGKILL' }] } }) },
  });
  for (const name of ['a', 'b', 'c']) {
    expect(fixture.pool.readiness()).toEqual({ ready: true });
    await ask(fixture, name, 'dies').catch(() => {});
    await settle();
  }
  expect(fixture.pool.readiness()).toMatchObject({
    ready: false,
    reason: expect.stringContaining('agent processes died'),
  });
  // It serves on, slowly.
  const first = ask(fixture, 'd', 'hello');
  const second = ask(fixture, 'e', 'hello');
  await pass(10);
  expect(await first).toBe('You said: hello. Before: nothing.');
  expect(fixture.driver.alive).toHaveLength(1);
  await pass(20_000);
  expect(await second).toBe('You said: hello. Before: nothing.');
  await pass(60_000);
  expect(fixture.pool.readiness()).toEqual({ ready: true });
});

test('a process that we end is no death', async () => {
  const fixture = makePool({ pool: { maxDeaths: 1, maxProcesses: 1 } });
  for (const name of ['a', 'b', 'c']) await ask(fixture, name, 'hello');
  expect(fixture.driver.processes).toHaveLength(3);
  expect(fixture.pool.processesOwned).toBe(1);
  expect(fixture.pool.readiness()).toEqual({ ready: true });
  fixture.driver.alive[0]?.die();
  await settle();
  expect(fixture.pool.processesOwned).toBe(0);
  expect(fixture.pool.readiness().ready).toBe(false);
});
