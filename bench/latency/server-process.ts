import { readFileSync } from 'node:fs';
import { z } from 'zod';

import { serveParent } from '../child.ts';
import { compose, type Composition } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createApp } from '../../src/http/app.ts';
import { createPinoLogger } from '../../src/telemetry/pino-logger.ts';
import { PrometheusMetrics } from '../../src/telemetry/prometheus-metrics.ts';
import { sleep } from '../../src/time/timers.ts';

const startSchema = z.object({
  dataDir: z.string(),
  simulatorUrl: z.string(),
  apiKey: z.string(),
  /** Prepared processes at most. */
  spares: z.number(),
  /** Folders that sessions may be told to work in. */
  workspaces: z.array(z.string()).optional(),
});
/** How often it is looked whether a spare is ready. */
const SPARE_LOOK_MS = 20;
const nameSchema = z.string();

/**
 * The server as `startServer` puts it together, with its settings, logs and metrics; put together here because the bench
 * also needs a hand on the pool, to connect a session ahead of its prompt and to take its process.
 */
let running: { readonly composition: Composition; readonly close: () => Promise<void> } | undefined;

serveParent({
  methods: {
    start: (argument) => start(startSchema.parse(argument)),
    /** Attaches a process to a session, without a prompt. */
    async connect(name) {
      await pool().getSessionClient(nameSchema.parse(name));
    },
    /** Takes the session's process; the conversation stays. Answers when the process is gone. */
    async takeProcess(name) {
      const client = await pool().getSessionClient(nameSchema.parse(name));
      await client.disconnect('bench');
    },
    /** Answers when a prepared process stands ready for the next new session. */
    async spareReady() {
      while (pool().stats().spares.ready === 0) await sleep(SPARE_LOOK_MS);
    },
    async remove(name) {
      await pool().deleteSession('default', nameSchema.parse(name));
    },
  },
  close: async () => running?.close(),
});

async function start({
  dataDir,
  simulatorUrl,
  apiKey,
  spares,
  workspaces,
}: z.output<typeof startSchema>): Promise<string> {
  const { config } = loadConfig({
    flags: { 'data-dir': dataDir, port: '0', 'max-processes': '8' },
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  });
  const log = createPinoLogger({ level: config.log.level, destination: process.stderr });
  const telemetry = { log, metrics: new PrometheusMetrics({ log, node: true }) };
  const composition = await compose({
    dataDir: config.dataDir,
    pool: { ...config.pool, spares: { ...config.pool.spares, max: spares } },
    credentials: { ANTHROPIC_BASE_URL: simulatorUrl, ANTHROPIC_API_KEY: apiKey },
    telemetry,
    agent: config.agent,
    workspaces: { allowed: workspaces },
  });
  const app = createApp({
    pool: composition.pool,
    options: { ...config.server, models: config.agent.models },
    telemetry,
    renderMetrics: () => telemetry.metrics.render(),
  });
  const close = async (): Promise<void> => {
    await composition.close(0);
    await app.close();
  };
  running = { composition, close };
  return app.listen({ host: config.server.host, port: config.server.port });
}

function pool(): Composition['pool'] {
  if (running === undefined) throw new Error('The server has not been started.');
  return running.composition.pool;
}
