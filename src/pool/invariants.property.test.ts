import * as fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { COMMANDS } from '../../test/support/pool-commands.ts';
import { World } from '../../test/support/pool-world.ts';
import { startFakeClock } from '../../test/support/fake-clock.ts';

/**
 * The invariants of the pool (docs/architecture.md), on fake time: whatever is done to a pool, in whatever order, each
 * session's answers show its own conversation, each turn has one end, numbers have no gaps, and slots are kept.
 */
afterEach(() => {
  vi.useRealTimers();
});

const RUNS = Number(process.env['ROUNDHOUSE_PROPERTY_RUNS'] ?? 100);

test(
  'no order of commands breaks I1 to I7, I10 or I11',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          maxProcesses: fc.integer({ min: 2, max: 3 }),
          maxSessions: fc.constantFrom(3, 6, 100),
          maxTurnsPerProcess: fc.constantFrom(1, 2, 100),
          // Degraded most of the time, or never; starts wait half a second each, so that none is refused.
          maxDeaths: fc.constantFrom(0, 2),
          deathsPeriodMs: fc.constant(1_000),
          spares: fc.record({
            max: fc.constantFrom(0, 2),
            idleMs: fc.constant(20_000),
            maxAgeMs: fc.constant(60_000),
            reserveBytes: fc.constant(0),
          }),
        }),
        fc.commands(COMMANDS, { maxCommands: 100, size: 'max' }),
        async (settings, commands) => {
          // A clock of its own: that of the run before may have been set.
          vi.useRealTimers();
          startFakeClock();
          const world = new World(settings);
          await fc.asyncModelRun(() => ({ model: {}, real: world }), commands);
          await world.finish();
          expect(world.problems).toEqual([]);
        },
      ),
      { numRuns: RUNS },
    );
  },
  RUNS * 600,
);
