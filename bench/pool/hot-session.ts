import { openSync } from 'node:fs';
import { join } from 'node:path';
import { createPool } from 'generic-pool';
import { destination } from 'pino';
import { Pool as TarnPool } from 'tarn';

import { makeBenchPool } from './bench-pool.ts';
import { createPinoLogger } from '../../src/telemetry/pino-logger.ts';
import { PrometheusMetrics } from '../../src/telemetry/prometheus-metrics.ts';
import { NO_TELEMETRY, type Telemetry } from '../../src/telemetry/telemetry.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import type { Comparison } from '../comparison.ts';

/** Something that gives out what it holds ready, and takes it back. */
interface Target {
  readonly name: string;
  readonly acquire: (call: number) => Promise<unknown>;
  /** Ours have none: a session that is given out is not taken from others. */
  readonly release?: (held: unknown) => unknown;
  readonly close: () => Promise<unknown>;
}

/**
 * Calls of `getSessionClient` on sessions that are resident and idle: what every request pays before its prompt. Beside it
 * two pools that keep nothing but a list of free resources.
 */
export async function measureHotSession(folder: string, quick: boolean): Promise<Comparison[]> {
  const rounds = quick ? 3 : 7;
  const calls = quick ? 5_000 : 30_000;
  const logFile = openSync(join(folder, 'pool.log'), 'a', 0o600);
  const log = createPinoLogger({
    level: 'info',
    destination: destination({ fd: logFile, sync: true }),
  });
  const asServed: Telemetry = { log, metrics: new PrometheusMetrics({ log }) };
  const comparisons: Comparison[] = [];
  for (const [what, telemetry, held] of [
    ['getSessionClient, 1 session', NO_TELEMETRY, 1],
    ['getSessionClient, 1,000', NO_TELEMETRY, 1_000],
    ['getSessionClient, 1,000, logs', asServed, 1_000],
  ] as const) {
    const targets = [
      await openTarn(held),
      await openGeneric(held),
      await openOurs(telemetry, held),
    ];
    try {
      comparisons.push(...(await measure(what, targets, rounds, calls)));
    } finally {
      for (const target of targets) await target.close();
    }
  }
  return comparisons;
}

/** Rounds of all targets take turns, so that what disturbs one disturbs the others. The last target is ours. */
async function measure(
  what: string,
  targets: readonly Target[],
  rounds: number,
  calls: number,
): Promise<Comparison[]> {
  const samples = targets.map(({ name }) => ({ name, rates: [] as number[], us: [] as number[] }));
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, target] of targets.entries()) {
      const startedAtMs = monotonicMs();
      const latenciesUs = await callAll(target, calls);
      if (round < 0) continue;
      samples[index]?.rates.push((calls / (monotonicMs() - startedAtMs)) * 1000);
      samples[index]?.us.push(...latenciesUs);
    }
  }
  const ours = samples.at(-1);
  if (ours === undefined) return [];
  const bases = samples.slice(0, -1);
  return [
    ...bases.map(({ name, rates }): Comparison => ({
      what,
      unit: 'calls/s',
      base: { name, samples: rates },
      ours: ours.rates,
    })),
    ...bases.map(({ name, us }): Comparison => ({
      what: `${what}, each`,
      unit: 'µs',
      base: { name, samples: us },
      ours: ours.us,
    })),
  ];
}

/** One call after the other, each timed; what is to be released is, before the next. */
async function callAll(target: Target, calls: number): Promise<number[]> {
  const latenciesUs: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    const startedAtMs = monotonicMs();
    const held = await target.acquire(call);
    const released = target.release?.(held);
    if (released instanceof Promise) await released;
    latenciesUs.push((monotonicMs() - startedAtMs) * 1000);
  }
  return latenciesUs;
}

async function openOurs(telemetry: Telemetry, sessions: number): Promise<Target> {
  const { pool } = makeBenchPool({
    maxSessions: sessions,
    maxProcesses: Math.min(sessions, 1_000),
    telemetry,
  });
  const names = Array.from({ length: sessions }, (_, index) => `session-${index}`);
  for (const name of names) await pool.getSessionClient(name);
  return {
    name: 'ours',
    acquire: (call) => pool.getSessionClient(names[call % names.length] ?? ''),
    close: () => pool.close(),
  };
}

async function openTarn(resources: number): Promise<Target> {
  const pool = new TarnPool<object>({
    create: () => Promise.resolve({}),
    destroy: () => {},
    min: 0,
    max: resources,
  });
  const all = Array.from({ length: resources }, () => pool.acquire().promise);
  for (const resource of await Promise.all(all)) pool.release(resource);
  return {
    name: 'tarn, acquire + release',
    acquire: () => pool.acquire().promise,
    release: (held) => {
      pool.release(Object(held));
    },
    close: () => pool.destroy(),
  };
}

async function openGeneric(resources: number): Promise<Target> {
  const pool = createPool<object>(
    { create: () => Promise.resolve({}), destroy: () => Promise.resolve() },
    { min: 0, max: resources },
  );
  const all = Array.from({ length: resources }, () => pool.acquire());
  for (const resource of await Promise.all(all)) await pool.release(resource);
  return {
    name: 'generic-pool, acquire + release',
    acquire: () => pool.acquire(),
    release: (held) => pool.release(Object(held)),
    close: () => pool.drain().then(() => pool.clear()),
  };
}
