import { expect, test, vi } from 'vitest';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';
import { ask, makePool, text, type PoolFixture } from '../../test/support/pool-fixture.ts';
import { HANGS, scriptOf } from '../../test/support/scripts.ts';

useFakeClock();

const MIB = 1024 * 1024;
const PER_PROCESS = 200 * MIB;

/** The machine has `freeBytes` without our processes. */
function onMachineOf(fixture: PoolFixture, freeBytes: number) {
  return vi
    .spyOn(fixture.host, 'memoryAvailableBytes')
    .mockImplementation(() =>
      Promise.resolve(freeBytes - fixture.driver.alive.length * PER_PROCESS),
    );
}

function reasons(fixture: PoolFixture): unknown[] {
  return fixture.lines
    .filter(({ event }) => event === 'session_process_taken')
    .map(({ sessionId, reason }) => `${String(sessionId)} ${String(reason)}`);
}

test('short of memory the pool takes the best victim of each look, until there is enough', async () => {
  const fixture = makePool({ pool: { minFreeBytes: 256 * MIB } });
  for (const name of ['a', 'b', 'c', 'd']) {
    await ask(fixture, name, 'one');
    await pass(500);
  }
  expect(reasons(fixture)).toEqual([]);
  // Enough for two.
  onMachineOf(fixture, 256 * MIB + 2 * PER_PROCESS);
  await pass(1_000);
  expect(reasons(fixture)).toEqual(['a memory_pressure']);
  await pass(1_000);
  expect(reasons(fixture)).toEqual(['a memory_pressure', 'b memory_pressure']);
  await pass(60_000);
  expect(fixture.driver.alive).toHaveLength(2);
  expect(
    fixture.counted.filter(({ labels }) => labels['reason'] === 'memory_pressure'),
  ).toHaveLength(2);
  const ours = fixture.lines.filter(({ event }) => event.startsWith('pool_memory'));
  expect(ours.map(({ event }) => event)).toEqual(['pool_memory_short', 'pool_memory_enough']);
  expect(await ask(fixture, 'a', 'two')).toBe('You said: two. Before: one.');
});

test('prepared processes go first', async () => {
  const fixture = makePool({
    pool: { spares: { max: 1, idleMs: 600_000, maxAgeMs: 600_000, reserveBytes: 512 * MIB } },
  });
  await ask(fixture, 'a', 'one');
  await pass(10);
  expect(fixture.pool.stats().spares.ready).toBe(1);
  onMachineOf(fixture, 256 * MIB + PER_PROCESS);
  await pass(5_000);
  expect(fixture.pool.stats().spares.ready).toBe(0);
  expect(fixture.driver.alive).toHaveLength(1);
  expect(reasons(fixture)).toEqual([]);
  expect(fixture.counted).toContainEqual(
    expect.objectContaining({
      name: 'roundhouse_spares_wasted_total',
      labels: { reason: 'memory_pressure', folder: 'own' },
    }),
  );
});

test('what runs is left to run, and a machine that cannot be read leaves all as it is', async () => {
  const fixture = makePool({ driver: { script: scriptOf({ long: HANGS }) } });
  const client = await fixture.pool.getSessionClient('busy');
  await client.prompt(text('long'));
  const free = onMachineOf(fixture, 0);
  await pass(10_000);
  expect(client.status).toBe('active');
  free.mockRejectedValue(new Error('no /proc'));
  await ask(fixture, 'idle', 'one');
  await pass(10_000);
  expect(fixture.driver.alive).toHaveLength(2);
  expect(fixture.lines.filter(({ event }) => event === 'pool_memory_unreadable')).toHaveLength(1);
});

test('switched off, or without a process, nothing is read', async () => {
  const off = makePool({ pool: { minFreeBytes: 0 } });
  const reading = vi.spyOn(off.host, 'memoryAvailableBytes');
  await ask(off, 'a', 'one');
  await pass(10_000);
  expect(reading).not.toHaveBeenCalled();
  const empty = makePool();
  const read = vi.spyOn(empty.host, 'memoryAvailableBytes');
  await pass(10_000);
  expect(read).not.toHaveBeenCalled();
});
