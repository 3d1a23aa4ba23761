import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import { compose } from './compose.ts';
import type { AgentOptions } from './contracts/agent-driver.ts';
import { RoundhouseError } from './errors.ts';
import { poolOptionsSchema, type PoolOptionsInput } from './pool/options.ts';
import type { SessionPool } from './pool/session-pool.ts';
import { NO_TELEMETRY, type Telemetry } from './telemetry/telemetry.ts';

export interface OpenSessionPoolOptions {
  /** Folder for sessions, transcripts and workspaces; made if need be. One pool at a time uses it. */
  readonly dataDir: string;
  /**
   * Variables that agents reach the model API with (`ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`, `CLAUDE_CODE_OAUTH_TOKEN`,
   * those of Bedrock or Vertex). Nothing else of this process's environment reaches an agent.
   */
  readonly credentials: Readonly<Record<string, string>>;
  /** Settings of the pool; `docs/configuration.md` lists them under `pool`. */
  readonly pool?: PoolOptionsInput;
  /**
   * Folders that sessions may be told to work in (`SessionRequest.workspace`), with all that is below them: absolute
   * paths. Default: none.
   */
  readonly workspaces?: { readonly allowed: readonly string[] };
  /** Options under those of every session. */
  readonly defaultAgent?: AgentOptions;
  /** A Claude Code executable; by default the one that comes with the Agent SDK. */
  readonly executable?: string;
  /** Where logs and metrics go. Default: nowhere. */
  readonly telemetry?: Telemetry;
}

export interface OpenedSessionPool {
  readonly pool: SessionPool;
  /** Lets running turns finish for `drainMs` (default `pool.drainMs`), and leaves no process behind. May be called twice. */
  readonly close: (drainMs?: number) => Promise<void>;
}

/**
 * Opens a session pool in this process. What an earlier one left in the data directory is put in order first: its
 * processes, turns without an end, prompts that were accepted and never delivered.
 *
 * Rejects with `configuration_invalid` or `storage_failed` (also for a data directory that another pool uses).
 */
export async function openSessionPool(options: OpenSessionPoolOptions): Promise<OpenedSessionPool> {
  const relative = options.workspaces?.allowed.filter((path) => !isAbsolute(path)) ?? [];
  if (relative.length > 0) {
    throw new RoundhouseError(
      'configuration_invalid',
      `workspaces.allowed: expected absolute paths, got ${relative.join(', ')}. Name them from the root.`,
    );
  }
  const settings = poolOptionsSchema.safeParse(options.pool ?? {});
  if (!settings.success) {
    throw new RoundhouseError(
      'configuration_invalid',
      `The pool's options have mistakes:\n${z.prettifyError(settings.error)}`,
    );
  }
  const composition = await compose({
    dataDir: resolve(options.dataDir),
    credentials: options.credentials,
    pool: settings.data,
    telemetry: options.telemetry ?? NO_TELEMETRY,
    ...(options.workspaces !== undefined && { workspaces: options.workspaces }),
    ...(options.defaultAgent !== undefined && { defaultAgent: options.defaultAgent }),
    ...(options.executable !== undefined && { agent: { executable: options.executable } }),
  });
  composition.pool.resumePrompts();
  return { pool: composition.pool, close: (drainMs) => composition.close(drainMs) };
}
