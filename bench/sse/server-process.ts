import type { AddressInfo } from 'node:net';
import { z } from 'zod';

import { createBareServer } from './bare-server.ts';
import { DeltaDriver } from './delta-driver.ts';
import { serveParent } from '../child.ts';
import { cpuUs } from '../cpu.ts';
import { createApp } from '../../src/http/app.ts';
import { poolOptionsSchema } from '../../src/pool/options.ts';
import { PolicyAnswerer } from '../../src/pool/policy-answerer.ts';
import { SessionPool } from '../../src/pool/session-pool.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { FakeHost } from '../../test/support/fake-host.ts';

const modeSchema = z.enum(['ours', 'each', 'tick']);

const LOOPBACK = { host: '127.0.0.1', port: 0 };
/** More sessions than the widest run has streams. */
const MAX_SESSIONS = 1_000;

let close: (() => Promise<void>) | undefined;

serveParent({
  methods: {
    start(argument) {
      const mode = modeSchema.parse(argument);
      return mode === 'ours' ? startOurs() : startBare(mode);
    },
    cpuUs,
  },
  close: async () => close?.(),
});

/** Pool, session, log, dialect and SSE writer as they are; only the agent and the disk are missing. */
async function startOurs(): Promise<string> {
  const pool = new SessionPool({
    options: {
      ...poolOptionsSchema.parse({ maxProcesses: MAX_SESSIONS, maxSessions: MAX_SESSIONS }),
      maxProcesses: MAX_SESSIONS,
      maxStarts: 64,
    },
    driver: new DeltaDriver(),
    store: new MemorySessionStore(),
    host: new FakeHost(),
    answerer: new PolicyAnswerer(),
    telemetry: NO_TELEMETRY,
    owner: 'bench',
    // Here the agent is faster than any client; the limit has its own tests.
    tailLimits: { maxItems: 10_000_000, maxLagMs: 600_000, maxBytes: Number.MAX_SAFE_INTEGER },
  });
  const app = createApp({
    pool,
    options: {
      keys: [],
      models: ['default'],
      maxBodyBytes: 1_000_000,
      statusHoldMs: 10_000,
      heartbeatMs: 15_000,
      readerMaxLagMs: 600_000,
      oneShotGraceMs: 0,
    },
    telemetry: NO_TELEMETRY,
  });
  close = async () => {
    await pool.close();
    await app.close();
  };
  return app.listen(LOOPBACK);
}

async function startBare(mode: 'each' | 'tick'): Promise<string> {
  const server = createBareServer(mode);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(LOOPBACK, resolve);
  });
  close = async () => {
    server.closeAllConnections();
    server.close();
  };
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('No port was given.');
  return `http://${address.address}:${address.port}`;
}
