import type { AgentRules } from '../../catalog/agent-plan.ts';
import { Agents } from '../../catalog/agents.ts';
import { Environments } from '../../catalog/environments.ts';
import { Files } from '../../catalog/files.ts';
import { PromptFiles } from '../../catalog/prompt-files.ts';
import { SessionEvents } from '../../catalog/session-events.ts';
import {
  SessionExtensions,
  type SessionExtensionsParts,
} from '../../catalog/session-extensions.ts';
import { Sessions, type SessionsPool } from '../../catalog/sessions.ts';
import type { Host } from '../../contracts/host.ts';
import { MemoryCatalogStore } from '../../store/memory/memory-catalog-store.ts';
import { MemoryFileStore } from '../../store/memory/memory-file-store.ts';
import { NO_TELEMETRY } from '../../telemetry/telemetry.ts';
import { MemorySessionStore } from '../../store/memory/memory-session-store.ts';
import type { HttpOptions } from '../options.ts';
import { FakePool } from './fake-pool.ts';
import { testApp, type TestApp } from './test-app.ts';

/** A {@link testApp} with every route that there can be: what is described of the API is described of this one. */
export function fullApp(options: Partial<HttpOptions> = {}): TestApp {
  const store = new MemoryCatalogStore();
  const rules = { folderAllowed: () => true, variableAllowed: () => true };
  const agents = new Agents({ store, rules: AGENT_RULES });
  const environments = new Environments({ store, rules });
  const pool = NO_SESSIONS;
  const files = new Files({
    store,
    bytes: new MemoryFileStore(),
    host: NO_HOST,
    limits: { maxFileBytes: 10_000, maxKeyBytes: 1_000_000, maxKeyFiles: 1_000 },
    log: NO_TELEMETRY.log,
  });
  const promptFiles = new PromptFiles({ files, maxBytes: 10_000 });
  const sessions = new Sessions({
    store,
    agents,
    environments,
    rules: AGENT_RULES,
    pool,
    cloneRepository: () => Promise.reject(new Error('There is no workspace here.')),
    promptFiles,
  });
  const events = new SessionEvents({
    sessions,
    pool,
    promptFiles,
    store: new MemorySessionStore(),
  });
  return testApp(options, new FakePool(), {
    catalog: {
      agents,
      environments,
      files,
      sessions,
      events,
      extensions: new SessionExtensions({ sessions, pool }),
    },
    drain: () => ({ deadlineMs: 1_000 }),
  });
}

/** Everything is allowed. */
const AGENT_RULES: AgentRules = {
  ownTools: true,
  mcpServerProblem: () => undefined,
  toolProblem: () => Promise.resolve(undefined),
};

/** Has no workspaces. */
const NO_HOST: Pick<Host, 'placeFiles'> = {
  placeFiles: () => Promise.reject(new Error('There is no workspace here.')),
};

/** Has none, and makes none. */
const NO_SESSIONS: SessionsPool & SessionExtensionsParts['pool'] = {
  busySessions: () => new Map(),
  createSession: () => Promise.reject(new Error('No session is made here.')),
  deleteSession: () => Promise.resolve(false),
  findClient: () => Promise.reject(new Error('There is no session here.')),
  forkSession: () => Promise.reject(new Error('There is no session here.')),
  getSessionInfo: () => Promise.resolve(undefined),
  readTranscript: () => Promise.reject(new Error('There is no session here.')),
  warm: () => Promise.reject(new Error('There is no session here.')),
};
