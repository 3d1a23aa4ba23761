import { openSync } from 'node:fs';
import { join } from 'node:path';
import { destination } from 'pino';

import { ScriptedDriver } from '../../src/agent/scripted/scripted-driver.ts';
import { poolOptionsSchema } from '../../src/pool/options.ts';
import { PolicyAnswerer } from '../../src/pool/policy-answerer.ts';
import { SessionPool } from '../../src/pool/session-pool.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { createPinoLogger } from '../../src/telemetry/pino-logger.ts';
import { PrometheusMetrics } from '../../src/telemetry/prometheus-metrics.ts';
import { NO_TELEMETRY, type Telemetry } from '../../src/telemetry/telemetry.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { FakeHost } from '../../test/support/fake-host.ts';
import type { Comparison } from '../comparison.ts';

const RESIDENT = 1_000;

/** Calls of `getSessionClient` on sessions that are resident and idle: what every request pays before its prompt. */
export async function measureHotSession(folder: string, quick: boolean): Promise<Comparison[]> {
  const rounds = quick ? 3 : 7;
  const calls = quick ? 5_000 : 30_000;
  const logFile = openSync(join(folder, 'pool.log'), 'a', 0o600);
  const log = createPinoLogger({
    level: 'info',
    destination: destination({ fd: logFile, sync: true }),
  });
  const asServed: Telemetry = { log, metrics: new PrometheusMetrics({ log }) };
  return [
    ...(await measure('getSessionClient, 1 session', NO_TELEMETRY, 1, rounds, calls)),
    ...(await measure('getSessionClient, 1,000', NO_TELEMETRY, RESIDENT, rounds, calls)),
    ...(await measure('getSessionClient, 1,000, logs', asServed, RESIDENT, rounds, calls)),
  ];
}

async function measure(
  what: string,
  telemetry: Telemetry,
  sessions: number,
  rounds: number,
  calls: number,
): Promise<Comparison[]> {
  const pool = new SessionPool({
    options: {
      ...poolOptionsSchema.parse({ maxSessions: RESIDENT, maxProcesses: RESIDENT }),
      maxProcesses: RESIDENT,
      maxStarts: 64,
    },
    driver: new ScriptedDriver(),
    store: new MemorySessionStore(),
    host: new FakeHost(),
    answerer: new PolicyAnswerer(),
    telemetry,
    owner: 'bench',
  });
  try {
    const names = Array.from({ length: sessions }, (_, index) => `session-${index}`);
    for (const name of names) await pool.getSessionClient(name);
    await callAll(pool, names, calls);
    const rates: number[] = [];
    const latenciesUs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const startedAtMs = monotonicMs();
      latenciesUs.push(...(await callAll(pool, names, calls)));
      rates.push((calls / (monotonicMs() - startedAtMs)) * 1000);
    }
    return [
      { what, unit: 'calls/s', ours: rates },
      { what: `${what}, each`, unit: 'µs', ours: latenciesUs },
    ];
  } finally {
    await pool.close();
  }
}

/** One call after the other, each timed. */
async function callAll(
  pool: SessionPool,
  names: readonly string[],
  calls: number,
): Promise<number[]> {
  const latenciesUs: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    const startedAtMs = monotonicMs();
    await pool.getSessionClient(names[call % names.length] ?? '');
    latenciesUs.push((monotonicMs() - startedAtMs) * 1000);
  }
  return latenciesUs;
}
