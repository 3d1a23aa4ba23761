import { afterEach, describe, expect, test, vi } from 'vitest';
import { RoundhouseError } from '../errors.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { useFakeClock } from '../../test/support/fake-clock.ts';

const SPARES = { max: 2, idleMs: 60_000, maxAgeMs: 600_000, reserveBytes: 0 };

let fixture: PoolFixture;

useFakeClock();

afterEach(() => fixture.pool.close());

function counted(name: string): Readonly<Record<string, string>>[] {
  return fixture.counted.filter((one) => one.name === name).map(({ labels }) => labels);
}

async function settle(ms = 0): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

describe('spares', () => {
  test('the first session of a configuration teaches the pool, the second finds a process ready', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    expect(fixture.pool.stats().spares).toEqual({ ready: 1, starting: 0 });
    const [cold, spare] = fixture.driver.processes;
    // Who has a prompt at hand does not wait for it.
    expect(cold?.warmUps).toBe(0);
    expect(spare?.warmUps).toBe(1);
    const client = await fixture.pool.getSessionClient('two');
    expect(spare?.spec.sessionId).toBe(client.id);
    expect(client.status).toBe('idle');
    expect(await ask(fixture, 'two', 'hi')).toBe('You said: hi. Before: nothing.');
    expect(counted('roundhouse_spares_total')).toEqual([
      { outcome: 'miss', reason: 'new_configuration' },
      { outcome: 'hit', reason: '' },
    ]);
  });

  test('a session on a spare goes on after its process is taken and after a restart', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    await ask(fixture, 'two', 'first');
    await fixture.pool.close();
    fixture = makePool({ pool: { spares: SPARES }, store: fixture.store, host: fixture.host });
    await fixture.pool.recover();
    expect(await ask(fixture, 'two', 'second')).toBe('You said: second. Before: first.');
  });

  test('another configuration does not get it', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    const systemPrompt = { mode: 'replace', text: 'Be brief.' } as const;
    const client = await fixture.pool.getSessionClient('two', { agent: { systemPrompt } });
    await client.prompt(text('hi'));
    const spec = fixture.driver.processes.find(
      (process) => process.spec.sessionId === client.id,
    )?.spec;
    expect(spec?.options.systemPrompt).toEqual(systemPrompt);
    expect(counted('roundhouse_spares_total').at(-1)).toEqual({
      outcome: 'miss',
      reason: 'new_configuration',
    });
  });

  test('a call that brings a history never takes one', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    const history = [
      { role: 'user', content: 'earlier' } as const,
      { role: 'assistant', content: 'yes' } as const,
    ];
    const client = await fixture.pool.getSessionClient('two', { history });
    expect(fixture.pool.stats().spares.ready).toBe(1);
    expect(client.status).toBe('idle');
  });

  test('a spare gives its slot to whoever needs one, before any session loses its process', async () => {
    fixture = makePool({ pool: { spares: SPARES, maxProcesses: 2 } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    expect(fixture.pool.stats()).toMatchObject({ spares: { ready: 1 }, processSlots: { used: 2 } });
    const other = { agent: { systemPrompt: { mode: 'replace', text: 'other' } } } as const;
    await fixture.pool.getSessionClient('two', other);
    expect(fixture.pool.stats()).toMatchObject({ spares: { ready: 0 }, processSlots: { used: 2 } });
    expect((await fixture.pool.getSessionInfo('default', 'one'))?.status).toBe('idle');
    expect(counted('roundhouse_spares_wasted_total')).toEqual([{ reason: 'slot_needed' }]);
  });

  test('none is started where no slot is free, and none while memory is short', async () => {
    fixture = makePool({ pool: { spares: SPARES, maxProcesses: 1 } });
    await ask(fixture, 'one', 'hello');
    await settle(5_000);
    expect(fixture.driver.processes).toHaveLength(1);
    await fixture.pool.close();
    fixture = makePool({ pool: { spares: { ...SPARES, reserveBytes: 2 ** 30 } } });
    fixture.host.freeBytes = 2 ** 30;
    await ask(fixture, 'one', 'hello');
    await settle(5_000);
    expect(fixture.pool.stats().spares).toEqual({ ready: 0, starting: 0 });
    fixture.host.freeBytes = 2 ** 32;
    await settle(1_500);
    expect(fixture.pool.stats().spares.ready).toBe(1);
  });

  test('an unused pool costs nothing: spares go when nobody has come for long', async () => {
    fixture = makePool({
      pool: { spares: SPARES, idleThresholdMs: 30_000, cleanupIntervalMs: 1_000 },
    });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    expect(fixture.driver.alive).toHaveLength(2);
    await settle(62_000);
    expect(fixture.driver.alive).toHaveLength(0);
    expect(counted('roundhouse_spares_wasted_total')).toEqual([{ reason: 'idle' }]);
  });

  test('a burst asks for more than one, never for more than the limit', async () => {
    fixture = makePool({
      pool: { spares: { ...SPARES, max: 3 }, maxProcesses: 20 },
      driver: { startMs: 500 },
    });
    const burst = Array.from({ length: 12 }, (_, n) => fixture.pool.getSessionClient(`burst-${n}`));
    await settle(4_500);
    await Promise.all(burst);
    const { ready, starting } = fixture.pool.stats().spares;
    expect(ready + starting).toBeGreaterThan(1);
    expect(ready + starting).toBeLessThanOrEqual(3);
  });

  test('an old one, and one of an earlier agent, is replaced', async () => {
    let generation = '1';
    fixture = makePool({
      pool: { spares: { ...SPARES, idleMs: 3_600_000, maxAgeMs: 100_000 } },
      driver: { generation: () => generation },
    });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    const first = fixture.driver.processes.at(-1);
    await settle(102_000);
    expect(first?.alive).toBe(false);
    const second = fixture.driver.alive.at(-1);
    generation = '2';
    await settle(2_000);
    expect(second?.alive).toBe(false);
    expect(fixture.pool.stats().spares.ready).toBe(1);
    expect(counted('roundhouse_spares_wasted_total')).toEqual([
      { reason: 'stale' },
      { reason: 'stale' },
    ]);
  });

  test('one that dies is replaced, and one that never starts is not tried without end', async () => {
    let broken = false;
    let attempts = 0;
    fixture = makePool({
      pool: { spares: SPARES },
      driver: {
        onStart: () => {
          attempts += 1;
          if (broken) throw new Error('no');
        },
      },
    });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    fixture.driver.processes.at(-1)?.die();
    await settle(1_100);
    expect(fixture.pool.stats().spares.ready).toBe(1);
    broken = true;
    attempts = 0;
    fixture.driver.alive.at(-1)?.die();
    await settle(50_000);
    expect(attempts).toBeGreaterThan(1);
    expect(attempts).toBeLessThan(8);
  });

  test('a session whose row can not be written leaves no process behind', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    await settle(10);
    vi.spyOn(fixture.store, 'createSession').mockRejectedValueOnce(
      new RoundhouseError('storage_failed', 'disk full'),
    );
    await expect(fixture.pool.getSessionClient('two')).rejects.toThrow('disk full');
    await settle(10);
    const { used } = fixture.pool.stats().processSlots;
    expect(used).toBe(fixture.driver.alive.length);
  });

  test('closing the pool ends them all, those that start included', async () => {
    fixture = makePool({ pool: { spares: { ...SPARES, max: 2 } }, driver: { startMs: 1_000 } });
    const first = fixture.pool.getSessionClient('one');
    await settle(1_500);
    await first;
    expect(fixture.pool.stats().spares.starting).toBe(1);
    const closed = fixture.pool.close();
    await settle(2_000);
    await closed;
    expect(fixture.driver.alive).toHaveLength(0);
    expect(fixture.host.folders.size).toBe(0);
    expect(fixture.host.workspaces.size).toBe(1);
  });

  test('warm brings the process of a known session back ahead of its prompt', async () => {
    fixture = makePool({ pool: { spares: SPARES } });
    await ask(fixture, 'one', 'hello');
    const client = await fixture.pool.getSessionClient('one');
    await client.disconnect('evicted');
    expect((await fixture.pool.warm('default', 'one')).status).toBe('idle');
    const starts = fixture.driver.processes.length;
    expect(fixture.driver.processes.at(-1)?.warmUps).toBe(1);
    expect(await ask(fixture, 'one', 'again')).toBe('You said: again. Before: hello.');
    expect(fixture.driver.processes).toHaveLength(starts);
    await expect(fixture.pool.warm('default', 'unknown')).rejects.toMatchObject({
      code: 'session_not_found',
    });
  });
});
