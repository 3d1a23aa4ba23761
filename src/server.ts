import { mcpServerRule, type McpServerAccess } from './catalog/mcp-server-rule.ts';
import { variableRule } from './catalog/variables.ts';
import { compose, type Composition } from './compose.ts';
import type { Config } from './config/schema.ts';
import type { Upstream } from './config/upstream.ts';
import type { AgentDriver, AgentOptions } from './contracts/agent-driver.ts';
import { createApp } from './http/app.ts';
import { assertBindAllowed } from './http/auth.ts';
import type { WorkspaceRules } from './pool/named-workspaces.ts';
import { registerGauges } from './pool-gauges.ts';
import type { Simulator } from './simulator/simulator.ts';
import type { PrometheusMetrics } from './telemetry/prometheus-metrics.ts';
import type { Logger } from './telemetry/telemetry.ts';
import { withinDeadline } from './time/deadline.ts';

/**
 * How long answers may take to reach their clients after the last turn has ended. Then connections are cut: one on which
 * nothing was asked yet (clients open them ahead) does not count as idle and would hold the end up for a minute.
 */
const LAST_ANSWERS_MS = 1_000;

// What it takes to start a server from a program; the command line uses the same.
export { loadConfig } from './config/load.ts';
export type { Config } from './config/schema.ts';
export { resolveUpstream, type Upstream } from './config/upstream.ts';
export { createPinoLogger } from './telemetry/pino-logger.ts';
export { PrometheusMetrics } from './telemetry/prometheus-metrics.ts';

/** What a server gets from outside. */
export interface ServerDependencies {
  /** What answers; see `resolveUpstream`. */
  readonly upstream: Upstream;
  readonly telemetry: { readonly log: Logger; readonly metrics: PrometheusMetrics };
  /** Another driver than Claude Code, for tests of what is around it. */
  readonly driver?: AgentDriver;
}

/** A server that listens. */
export interface RunningServer {
  /** Without a slash at the end. */
  readonly url: string;
  /** The embedded simulator, when it answers. */
  readonly simulator?: { readonly url: string };
  /** Whether a turn runs or waits. */
  readonly busy: boolean;
  /** Takes no new turns, lets running ones finish within `pool.drainMs`, and leaves nothing behind. May be called twice. */
  drain(reason: string): Promise<void>;
  /** The same at once: what runs is interrupted. */
  close(): Promise<void>;
  /** Settles when the server has stopped, whoever asked for it: {@link RunningServer.drain}, or `POST /admin/drain`. */
  readonly stopped: Promise<void>;
}

/**
 * Starts the server. When it rejects nothing is left: `configuration_invalid`, `storage_failed` (also for a data directory
 * that another server uses), or the system's error for an address that is taken.
 */
export async function startServer(
  config: Config,
  { upstream, telemetry, driver }: ServerDependencies,
): Promise<RunningServer> {
  const { host, port, keys } = config.server;
  assertBindAllowed(host, keys);
  const simulator = upstream.kind === 'simulator' ? await startEmbedded(config) : undefined;
  let composition: Composition | undefined;
  try {
    composition = await compose({
      dataDir: config.dataDir,
      pool: config.pool,
      credentials: simulator === undefined ? upstream.variables : simulatorCredentials(simulator),
      telemetry,
      agent: config.agent,
      defaultAgent: defaultAgent(config),
      catalog: {
        ownTools: ownTools(config),
        mcpServerProblem: mcpServerRule(mcpAccess(config), config.agent.mcpHosts),
        variableAllowed: variableRule(config.environments.variables),
        fileLimits: config.files,
        // What files become is what could have stood in the body.
        maxPromptFileBytes: config.server.maxBodyBytes,
      },
      agentEvents: config.server.agentEvents,
      synchronous: config.store.synchronous,
      tenantLimits: new Map(keys.map((key) => [key.id, key])),
      workspaces: workspaceRules(config),
      ...(driver !== undefined && { driver }),
      tailLimits: {
        maxItems: config.server.readerMaxItems,
        maxLagMs: config.server.readerMaxLagMs,
        maxBytes: config.server.readerMaxBytes,
      },
    });
    const { pool } = composition;
    registerGauges(telemetry.metrics, composition);
    let server: RunningServer | undefined;
    const app = createApp({
      pool,
      catalog: composition,
      drain: () => {
        // Who waits for the end gets its failure by `stopped`.
        server?.drain('POST /admin/drain').catch(() => {});
        return { deadlineMs: config.pool.drainMs };
      },
      options: {
        ...config.server,
        models: config.agent.models,
        defaultModel: config.agent.defaultModel,
      },
      telemetry,
      renderMetrics: () => telemetry.metrics.render(),
    });
    const url = await app.listen({ host, port });
    pool.resumePrompts();
    telemetry.log.info('server_started', { url, upstream: upstream.kind, dataDir: config.dataDir });
    server = running({ url, app, composition, simulator, log: telemetry.log });
    return server;
  } catch (error) {
    await composition?.close(0);
    await simulator?.close();
    throw error;
  }
}

interface Running {
  readonly url: string;
  readonly app: ReturnType<typeof createApp>;
  readonly composition: Composition;
  readonly simulator: Simulator | undefined;
  readonly log: Logger;
}

function running({ url, app, composition, simulator, log }: Running): RunningServer {
  let ended: Promise<void> | undefined;
  const stopped = Promise.withResolvers<void>();
  // Nobody has to listen to it.
  stopped.promise.catch(() => {});
  const stop = (drainMs: number | undefined, reason: string): Promise<void> => {
    if (ended === undefined) {
      ended = end(drainMs, reason);
      stopped.resolve(ended);
    }
    return ended;
  };
  const end = async (drainMs: number | undefined, reason: string): Promise<void> => {
    log.info('server_draining', { reason });
    // The pool first: its readers get their last event before their connections go.
    await composition.close(drainMs);
    const closed = app.close();
    const { timedOut } = await withinDeadline(closed, LAST_ANSWERS_MS);
    if (timedOut) app.server.closeAllConnections();
    await closed;
    await simulator?.close();
    log.info('server_stopped', { reason });
  };
  return {
    url,
    ...(simulator !== undefined && { simulator: { url: simulator.url } }),
    get busy() {
      return Object.keys(composition.pool.stats().phases).length > 0;
    },
    stopped: stopped.promise,
    drain: (reason) => stop(undefined, reason),
    close() {
      const pool = composition.pool.close();
      return Promise.all([pool, stop(0, 'close')]).then(() => {});
    },
  };
}

async function startEmbedded(config: Config): Promise<Simulator> {
  // Loaded only where it answers.
  const { startSimulator } = await import('./simulator/simulator.ts');
  return startSimulator({ tokenDelayMs: config.simulator.tokenDelayMs });
}

function simulatorCredentials({ url }: Simulator): Record<string, string> {
  return { ANTHROPIC_BASE_URL: url, ANTHROPIC_API_KEY: 'simulator' };
}

/**
 * Whether agents have Claude Code's own tools. Read-only Bash never asks for permission and runs as the server's user: with
 * several keys, off unless switched on.
 */
function ownTools({ agent: { tools }, server }: Config): boolean {
  return tools === 'on' || (tools === 'auto' && server.keys.length <= 1);
}

/**
 * Which MCP servers agents may connect to. They do it from this host's network: with several keys, whose owners need not be
 * the operator, none unless switched on.
 */
function mcpAccess({ agent: { mcpServers }, server }: Config): McpServerAccess {
  if (mcpServers !== 'auto') return mcpServers;
  return server.keys.length <= 1 ? 'https' : 'off';
}

/** What the operator sets for every session. */
function defaultAgent(config: Config): AgentOptions {
  const { defaultModel, systemPrompt, systemPromptMode } = config.agent;
  return {
    ...(defaultModel !== undefined && { model: defaultModel }),
    ...(systemPrompt !== undefined && {
      systemPrompt: { mode: systemPromptMode, text: systemPrompt },
    }),
    ...(!ownTools(config) && { tools: [] }),
  };
}

/** Each key's own list in the place of the common one, which counts only as long as there are not several keys. */
function workspaceRules({ server, workspaces }: Config): WorkspaceRules {
  const own = server.keys.flatMap(({ id, workspaces: folders }) =>
    folders === undefined ? [] : [[id, folders] as const],
  );
  return { allowed: server.keys.length > 1 ? [] : workspaces.allowed, byTenant: new Map(own) };
}
