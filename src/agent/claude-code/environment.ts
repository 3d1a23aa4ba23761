import { join } from 'node:path';

import type { AgentSpec } from '../../contracts/agent-driver.ts';
import { PROCESS_MARK } from '../../contracts/host.ts';

/** Name of the folder under `projects/` in which the agent keeps transcripts; without it the name is made from the cwd. */
export const PROJECT_FOLDER = 'session';

const MINIMAL_PATH = '/usr/local/bin:/usr/bin:/bin';

export interface EnvironmentInput {
  readonly clientId: string;
  readonly processFolder: string;
  readonly credentials: Readonly<Record<string, string>>;
  /** What the session's own variables are; everything else goes before them. */
  readonly variables?: AgentSpec['variables'];
  /** Where the agent and its tools look for programs. Default `/usr/local/bin:/usr/bin:/bin`. */
  readonly path?: string;
  /** Whether the process has an endpoint of ours to reach on loopback. Default false. */
  readonly reachesHost?: boolean;
  /** How often the agent repeats a failed model request. */
  readonly maxRetries: number;
}

/** Folders inside a process's folder. */
export function processFolders(processFolder: string): {
  config: string;
  temporary: string;
  /** Where a process stands that does not know its workspace yet. */
  parking: string;
} {
  return {
    config: join(processFolder, 'config'),
    temporary: join(processFolder, 'tmp'),
    parking: join(processFolder, 'parking'),
  };
}

/**
 * The environment of an agent process, built from nothing: no variable of the host gets in. Never `IS_SANDBOX`, which would
 * allow an agent that runs as root to skip every permission.
 */
export function agentEnvironment(input: EnvironmentInput): Record<string, string> {
  const { config, temporary } = processFolders(input.processFolder);
  const variables = Object.entries(input.variables ?? {});
  return {
    ...Object.fromEntries(variables.map(([name, { value }]) => [name, value])),
    ...input.credentials,
    ...(input.reachesHost === true ? noProxyToLoopback(input.credentials) : {}),
    PATH: input.path ?? MINIMAL_PATH,
    HOME: input.processFolder,
    LANG: 'C.UTF-8',
    // Without an explicit value the SDK mirrors no transcript, and says nothing.
    CLAUDE_CONFIG_DIR: config,
    CLAUDE_CODE_PROJECT_DIR_NAME: PROJECT_FOLDER,
    TMPDIR: temporary,
    // Without it task output and sockets go to `/tmp/claude-<uid>`, shared by all processes and swept by nobody.
    CLAUDE_CODE_TMPDIR: temporary,
    [PROCESS_MARK]: input.clientId,
    CLAUDE_CODE_MAX_RETRIES: String(input.maxRetries),
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    CLAUDE_CODE_DISABLE_AUTO_MEMORY: '1',
    // It would yield a final text that was never streamed.
    CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK: '1',
    // What runs on after a turn could start turns that nobody asked for.
    CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
    CLAUDE_CODE_DISABLE_CRON: '1',
    CLAUDE_CODE_DISABLE_WORKFLOWS: '1',
    DISABLE_AUTOUPDATER: '1',
  };
}

/** A proxy does not lead back to this machine. */
function noProxyToLoopback(credentials: Readonly<Record<string, string>>): Record<string, string> {
  const names = Object.keys(credentials);
  if (!names.some((name) => /^(?:HTTPS?|ALL)_PROXY$/i.test(name))) return {};
  const given = names.filter((name) => /^NO_PROXY$/i.test(name)).map((name) => credentials[name]);
  const value = [...new Set(given), '127.0.0.1'].join(',');
  return { NO_PROXY: value, no_proxy: value };
}
