import { ScriptedDriver } from '../../src/agent/scripted/scripted-driver.ts';
import type { SessionStore } from '../../src/contracts/session-store.ts';
import { poolOptionsSchema } from '../../src/pool/options.ts';
import { PolicyAnswerer } from '../../src/pool/policy-answerer.ts';
import { SessionPool } from '../../src/pool/session-pool.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { NO_TELEMETRY, type Telemetry } from '../../src/telemetry/telemetry.ts';
import { FakeHost } from '../../test/support/fake-host.ts';

export interface BenchPoolOptions {
  readonly maxSessions: number;
  readonly maxProcesses: number;
  readonly telemetry?: Telemetry;
  readonly store?: SessionStore;
}

/** A pool on processes that cost nothing, so that what is measured is the pool. No spares. */
export function makeBenchPool(options: BenchPoolOptions) {
  const { maxSessions, maxProcesses, telemetry = NO_TELEMETRY } = options;
  const store = options.store ?? new MemorySessionStore();
  const pool = new SessionPool({
    options: {
      ...poolOptionsSchema.parse({ maxSessions, maxProcesses, spares: { max: 0 } }),
      maxProcesses,
      maxStarts: 64,
    },
    driver: new ScriptedDriver(),
    store,
    host: new FakeHost(),
    answerer: new PolicyAnswerer(),
    telemetry,
    owner: 'bench',
  });
  return { pool, store };
}
