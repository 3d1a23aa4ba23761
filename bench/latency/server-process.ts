import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';

import { serveParent } from '../child.ts';
import { cpuUs } from '../cpu.ts';
import { childrenOf, treeMemory } from '../process-tree.ts';
import { DeltaDriver } from '../sse/delta-driver.ts';
import type { Script } from '../../src/agent/scripted/script.ts';
import {
  ScriptedDriver,
  type ScriptedDriverOptions,
} from '../../src/agent/scripted/scripted-driver.ts';
import { collectAll } from '../../src/cli/idle-memory.ts';
import { compose, type Composition } from '../../src/compose.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { AgentDriver } from '../../src/contracts/agent-driver.ts';
import { createApp } from '../../src/http/app.ts';
import { createPinoLogger } from '../../src/telemetry/pino-logger.ts';
import { PrometheusMetrics } from '../../src/telemetry/prometheus-metrics.ts';
import { sleep } from '../../src/time/timers.ts';

const startSchema = z.object({
  dataDir: z.string(),
  simulatorUrl: z.string(),
  apiKey: z.string(),
  /** Settings, as the command line takes them. */
  flags: z.record(z.string(), z.string()).default({}),
  /** `scripted` and `deltas`: agents without a process, for what is around them; the second keep a pace, see `DeltaDriver`. */
  agents: z.enum(['claude-code', 'scripted', 'deltas']).default('claude-code'),
  /** What a scripted agent says to each prompt; by default it echoes. */
  answer: z.object({ pieces: z.number(), charsPerPiece: z.number() }).optional(),
});
type Start = z.output<typeof startSchema>;
/** How often it is looked whether a spare is ready. */
const SPARE_LOOK_MS = 20;
const nameSchema = z.string();
const rangeSchema = z.object({ prefix: z.string(), from: z.number(), to: z.number() });
/** Sessions that are prompted at once. */
const PROMPTED_AT_ONCE = 32;
const HIT = /^roundhouse_spares_total\{outcome="hit",reason="",folder="\w+"\} (\d+)/gm;

/**
 * The server as `startServer` puts it together, with its settings, logs and metrics; put together here because the bench
 * also needs a hand on the pool, to connect a session ahead of its prompt and to take its process.
 */
let running:
  | {
      readonly composition: Composition;
      readonly metrics: PrometheusMetrics;
      readonly close: () => Promise<void>;
    }
  | undefined;

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
    /** Prepared processes now, and how many new sessions have found one so far. */
    async spares() {
      const { text } = await server().metrics.render();
      // One line for each sort of folder.
      let hits = 0;
      for (const [, count] of text.matchAll(HIT)) hits += Number(count);
      return { ...pool().stats().spares, hits };
    },
    /** One turn on each session of a range. */
    async prompt(argument) {
      const { prefix, from, to } = rangeSchema.parse(argument);
      let next = from;
      const worker = async (): Promise<void> => {
        for (let index = next++; index < to; index = next++) {
          const client = await pool().getSessionClient(`${prefix}${index}`);
          await (
            await client.prompt([{ type: 'text', text: 'hello' }])
          ).ended;
        }
      };
      await Promise.all(Array.from({ length: PROMPTED_AT_ONCE }, worker));
    },
    population: () => ({
      residentSessions: pool().stats().residentSessions,
      processes: pool().stats().processSlots.used,
    }),
    cpuUs,
    /** What this process holds: all that is resident, and what it needs of its heap once garbage is collected. */
    memory() {
      collectGarbage();
      return memoryNow();
    },
    /** The same after what `serve` does when it has been at rest for a while. */
    restingMemory() {
      collectAll();
      return memoryNow();
    },
    /** What each agent process holds, with what it has started. */
    agents: async () => Promise.all((await childrenOf(process.pid)).map(treeMemory)),
  },
  close: async () => running?.close(),
});

async function start({
  dataDir,
  simulatorUrl,
  apiKey,
  flags,
  agents,
  answer,
}: Start): Promise<string> {
  const { config } = loadConfig({
    flags: {
      'data-dir': dataDir,
      port: '0',
      'max-processes': '8',
      'pool-spares-max': '0',
      ...flags,
    },
    env: process.env,
    readFile: (path) => readFileSync(path, 'utf8'),
  });
  const log = createPinoLogger({ level: config.log.level, destination: process.stderr });
  const metrics = new PrometheusMetrics({ log, node: true });
  const telemetry = { log, metrics };
  const composition = await compose({
    dataDir: config.dataDir,
    pool: config.pool,
    credentials: { ANTHROPIC_BASE_URL: simulatorUrl, ANTHROPIC_API_KEY: apiKey },
    telemetry,
    agent: config.agent,
    workspaces: config.workspaces,
    tailLimits: {
      maxItems: config.server.readerMaxItems,
      maxLagMs: config.server.readerMaxLagMs,
      maxBytes: config.server.readerMaxBytes,
    },
    ...driverOf(agents, answer),
  });
  const app = createApp({
    pool: composition.pool,
    catalog: composition,
    options: { ...config.server, models: config.agent.models },
    telemetry,
    renderMetrics: () => metrics.render(),
  });
  const close = async (): Promise<void> => {
    await composition.close(0);
    await app.close();
  };
  running = { composition, metrics, close };
  return app.listen({ host: config.server.host, port: config.server.port });
}

/** The driver of such agents; none for the real ones, whose driver comes with the server. */
function driverOf(
  agents: Start['agents'],
  answer: Start['answer'],
): { readonly driver?: AgentDriver } {
  if (agents === 'claude-code') return {};
  if (agents === 'deltas') return { driver: new DeltaDriver() };
  const driver = forgetfulDriver(answer === undefined ? {} : { script: longAnswers(answer) });
  return { driver };
}

/** Scripted agents, of which nothing remains: a `ScriptedDriver` keeps every process that it has ever started. */
function forgetfulDriver(options: ScriptedDriverOptions): AgentDriver {
  const driver = new ScriptedDriver(options);
  return {
    name: driver.name,
    capabilities: driver.capabilities,
    generation: () => driver.generation(),
    start: (spec, signal) => new ScriptedDriver(options).start(spec, signal),
    rescueTranscript: () => driver.rescueTranscript(),
    seedTranscript: (...seed) => driver.seedTranscript(...seed),
    forkTranscript: (...fork) => driver.forkTranscript(...fork),
    openCalls: (id, transcripts) => driver.openCalls(id, transcripts),
  };
}

/** Every piece is a string of its own, so that nothing shares the memory that is weighed. */
function longAnswers({ pieces, charsPerPiece }: NonNullable<Start['answer']>): Script {
  const piece = (): string => randomBytes(charsPerPiece / 2).toString('hex');
  return () => ({ steps: [{ text: Array.from({ length: pieces }, piece) }] });
}

/** Twice: what the first round finalizes, the second collects. */
function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('Start this process with --expose-gc.');
  for (let round = 0; round < 2; round += 1) globalThis.gc();
}

function memoryNow() {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssBytes: rss, usedBytes: heapUsed + external };
}

function server(): NonNullable<typeof running> {
  if (running === undefined) throw new Error('The server has not been started.');
  return running;
}

function pool(): Composition['pool'] {
  return server().composition.pool;
}
