import { randomUUID } from 'node:crypto';
import { availableParallelism, hostname } from 'node:os';
import { join } from 'node:path';
import { createClaudeCodeDriver } from './agent/claude-code/driver.ts';
import type { AgentRules } from './catalog/agent-plan.ts';
import { Agents } from './catalog/agents.ts';
import { Clones } from './catalog/clones.ts';
import type { FileLimits } from './catalog/file-quota.ts';
import { Files } from './catalog/files.ts';
import { Environments, type EnvironmentRules } from './catalog/environments.ts';
import { poolPorts } from './catalog/pool-ports.ts';
import { PromptFiles } from './catalog/prompt-files.ts';
import { SessionEvents } from './catalog/session-events.ts';
import { SessionExtensions } from './catalog/session-extensions.ts';
import { Sessions } from './catalog/sessions.ts';
import type { AgentDriver, AgentOptions } from './contracts/agent-driver.ts';
import type { Host } from './contracts/host.ts';
import type { SessionStore } from './contracts/session-store.ts';
import type { ClientTool, ToolEndpoint } from './contracts/tool-endpoint.ts';
import { errorText, RoundhouseError } from './errors.ts';
import { createHost } from './host/create-host.ts';
import { AgentMessages } from './log/agent-messages.ts';
import type { TailLimits } from './log/tail.ts';
import { NamedWorkspaces, type WorkspaceRules } from './pool/named-workspaces.ts';
import type { PoolOptions } from './pool/options.ts';
import { PolicyAnswerer } from './pool/policy-answerer.ts';
import { SessionPool } from './pool/session-pool.ts';
import type { TenantLimits } from './pool/tenants.ts';
import { DiskFileStore } from './store/files/disk-file-store.ts';
import { openSqliteStore } from './store/sql/open-sqlite-store.ts';
import type { Telemetry } from './telemetry/telemetry.ts';
import { McpToolEndpoint } from './tool-endpoint/mcp-tool-endpoint.ts';

/** Memory that one slot stands for when `maxProcesses` is not set: a process after many turns, with a reserve. */
const BYTES_PER_SLOT = 250 * 1024 * 1024;
const MAX_DEFAULT_SLOTS = 64;

const NOTHING_ALLOWED = {
  ownTools: false,
  mcpServerProblem: () => 'there are none here',
  variableAllowed: () => false,
  fileLimits: { maxFileBytes: 0, maxKeyBytes: 0, maxKeyFiles: 0 },
  maxPromptFileBytes: 0,
};

/** What agents, environments and files may ask for. Folders have rules of their own, which hold for sessions too. */
export type CatalogRules = Pick<EnvironmentRules, 'variableAllowed'> &
  Pick<AgentRules, 'ownTools' | 'mcpServerProblem'> & {
    readonly fileLimits: FileLimits;
    /** See {@link PromptFiles}. */
    readonly maxPromptFileBytes: number;
  };

/** What a pool is put together from. */
export interface ComposeOptions {
  /** Folder for everything that is kept: absolute. One pool at a time. */
  readonly dataDir: string;
  readonly pool: PoolOptions;
  /** Variables that agents reach the model API with. */
  readonly credentials: Readonly<Record<string, string>>;
  readonly telemetry: Telemetry;
  readonly agent?: {
    readonly executable?: string | undefined;
    readonly path?: string | undefined;
    readonly maxRetries?: number | undefined;
  };
  /** Options under those of every session; they hold for known sessions too. */
  readonly defaultAgent?: AgentOptions;
  readonly synchronous?: 'normal' | 'full';
  readonly tailLimits?: TailLimits;
  /** What each tenant may use of what all share. */
  readonly tenantLimits?: ReadonlyMap<string, TenantLimits>;
  /** Folders that callers may name for their sessions, and environments for theirs. Default: none. */
  readonly workspaces?: WorkspaceRules;
  /** What the catalog takes, besides folders; by default no tool of the agent, no variable and no file. */
  readonly catalog?: CatalogRules;
  /** Whether what agents say can be looked at, for debugging. It can hold anything. Default false. */
  readonly agentEvents?: boolean;
  /** Another driver than Claude Code, for benches and tests of what is around it. */
  readonly driver?: AgentDriver;
}

/** A pool and what it stands on. */
export interface Composition {
  readonly pool: SessionPool;
  readonly host: Host;
  readonly store: SessionStore;
  /** What sessions are made of, in the same store. */
  readonly agents: Agents;
  readonly environments: Environments;
  readonly files: Files;
  /** Sessions that were made of them. */
  readonly sessions: Sessions;
  readonly events: SessionEvents;
  /** What can be done with them beyond the API. */
  readonly extensions: SessionExtensions;
  /** Drains the pool and closes the store. May be called twice. */
  close(drainMs?: number): Promise<void>;
}

/**
 * The one place that picks implementations and wires them; library and server both use it. What an earlier pool left in
 * the data directory has been put in order when it resolves. Rejects with `storage_failed` or `configuration_invalid`.
 */
export async function compose(options: ComposeOptions): Promise<Composition> {
  const { dataDir, telemetry } = options;
  // The store first: it makes sure that no other pool uses the data directory, before anything in it is swept.
  const store = await openSqliteStore({
    path: join(dataDir, 'roundhouse.db'),
    noteDamage: (what, error) => {
      telemetry.log.error('store_row_damaged', { what, error: errorText(error) });
      telemetry.metrics.count('roundhouse_store_rows_damaged_total', {});
    },
    ...(options.synchronous !== undefined && { synchronous: options.synchronous }),
  });
  try {
    const host = await createHost({ dataDir, telemetry });
    const toolEndpoint = new McpToolEndpoint(telemetry);
    const { variableAllowed, fileLimits, maxPromptFileBytes, ...allowed } =
      options.catalog ?? NOTHING_ALLOWED;
    const rules = { ...allowed, toolProblem: (tool: ClientTool) => toolEndpoint.problemOf(tool) };
    const folders = new NamedWorkspaces(options.workspaces ?? {}, host);
    const agents = new Agents({ store: store.catalog, rules });
    const environments = new Environments({
      store: store.catalog,
      rules: {
        variableAllowed,
        folderAllowed: (tenant, path) => folders.allows(tenant, path),
      },
    });
    const files = new Files({
      store: store.catalog,
      bytes: await DiskFileStore.open(join(dataDir, 'files')),
      host,
      limits: fileLimits,
      log: telemetry.log,
    });
    await files.recover();
    const promptFiles = new PromptFiles({ files, maxBytes: maxPromptFileBytes });
    const agentMessages = options.agentEvents === true ? new AgentMessages() : undefined;
    const poolOptions = await withMachineDefaults(options.pool, host);
    // They need what starts need, a core each.
    const clones = new Clones({ host, folders, atOnce: poolOptions.maxStarts });
    const pool = new SessionPool({
      options: poolOptions,
      driver: options.driver ?? claudeCode(options, host, toolEndpoint, agentMessages),
      store,
      host,
      answerer: new PolicyAnswerer(),
      telemetry,
      ...poolPorts(store.catalog, environments),
      owner: `${hostname()}:${process.pid}:${randomUUID()}`,
      ...(options.defaultAgent !== undefined && { defaultAgent: options.defaultAgent }),
      ...(options.tailLimits !== undefined && { tailLimits: options.tailLimits }),
      ...(options.tenantLimits !== undefined && { tenantLimits: options.tenantLimits }),
      ...(options.workspaces !== undefined && { workspaces: options.workspaces }),
    });
    await pool.recover();
    const shutDown = async (drainMs: number | undefined): Promise<void> => {
      clones.close(
        new RoundhouseError('draining', 'The server is shutting down; retry elsewhere.'),
      );
      await pool.drain(drainMs);
      await toolEndpoint.close();
      files.close();
      agentMessages?.close();
      await store.close();
    };
    let closed: Promise<void> | undefined;
    const sessions = new Sessions({
      store: store.catalog,
      agents,
      environments,
      rules,
      pool,
      promptFiles,
      placeFiles: ({ tenant, workspace, ownsWorkspace }, resources) =>
        files.place(tenant, resources, { path: workspace, own: ownsWorkspace }),
      cloneRepository: (...clone) => clones.clone(...clone),
      hasFile: (tenant, fileId) => files.has(tenant, fileId),
    });
    return {
      pool,
      host,
      store,
      agents,
      environments,
      files,
      sessions,
      events: new SessionEvents({ sessions, pool, promptFiles, store }),
      extensions: new SessionExtensions({ sessions, pool, agentMessages }),
      close: (drainMs) => (closed ??= shutDown(drainMs)),
    };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function claudeCode(
  { agent = {}, credentials, telemetry, catalog }: ComposeOptions,
  host: Host,
  toolEndpoint: ToolEndpoint,
  watcher: AgentMessages | undefined,
): AgentDriver {
  const { executable, path, maxRetries } = agent;
  return createClaudeCodeDriver({
    host,
    credentials,
    telemetry,
    toolEndpoint,
    ...(catalog !== undefined && { mcpServerProblem: catalog.mcpServerProblem }),
    ...(watcher !== undefined && { watcher }),
    ...(executable !== undefined && { executable }),
    ...(path !== undefined && { path }),
    ...(maxRetries !== undefined && { maxRetries }),
  });
}

async function withMachineDefaults(pool: PoolOptions, host: Host) {
  const byMemory = Math.floor((await host.memoryLimitBytes()) / BYTES_PER_SLOT);
  return {
    ...pool,
    maxProcesses: pool.maxProcesses ?? Math.min(MAX_DEFAULT_SLOTS, Math.max(1, byMemory)),
    maxStarts: pool.maxStarts ?? availableParallelism(),
  };
}
