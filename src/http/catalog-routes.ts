import type { FastifyInstance } from 'fastify';
import type { CatalogDependencies } from './catalog-deps.ts';
import { archiveAgentRoute } from './routes/agents/archive.ts';
import { createAgentRoute } from './routes/agents/create.ts';
import { listAgentsRoute } from './routes/agents/list.ts';
import { readAgentRoute } from './routes/agents/read.ts';
import { updateAgentRoute } from './routes/agents/update.ts';
import { listAgentVersionsRoute } from './routes/agents/versions.ts';
import { archiveEnvironmentRoute } from './routes/environments/archive.ts';
import { createEnvironmentRoute } from './routes/environments/create.ts';
import { deleteEnvironmentRoute } from './routes/environments/delete.ts';
import { listEnvironmentsRoute } from './routes/environments/list.ts';
import { readEnvironmentRoute } from './routes/environments/read.ts';
import { updateEnvironmentRoute } from './routes/environments/update.ts';
import { deleteFileRoute } from './routes/files/delete.ts';
import { downloadFileRoute } from './routes/files/download.ts';
import { listFilesRoute } from './routes/files/list.ts';
import { readFileRoute } from './routes/files/read.ts';
import { uploadFileRoute } from './routes/files/upload.ts';
import { agentEventsRoute } from './routes/session-extensions/agent-events.ts';
import { forkSessionRoute } from './routes/session-extensions/fork.ts';
import { rewindSessionRoute } from './routes/session-extensions/rewind.ts';
import { transcriptRoute } from './routes/session-extensions/transcript.ts';
import { warmManagedSessionRoute } from './routes/session-extensions/warm.ts';
import { archiveManagedSessionRoute } from './routes/v1-sessions/archive.ts';
import { createManagedSessionRoute } from './routes/v1-sessions/create.ts';
import { deleteManagedSessionRoute } from './routes/v1-sessions/delete.ts';
import { listEventsRoute } from './routes/v1-sessions/list-events.ts';
import { listManagedSessionsRoute } from './routes/v1-sessions/list.ts';
import { readManagedSessionRoute } from './routes/v1-sessions/read.ts';
import { sendEventsRoute } from './routes/v1-sessions/send-events.ts';
import { streamEventsRoute } from './routes/v1-sessions/stream-events.ts';
import { updateManagedSessionRoute } from './routes/v1-sessions/update.ts';

/** Headers of the Managed Agents API that have no effect here; named in `x-roundhouse-ignored` when they are sent. */
const IGNORED_HEADERS = ['anthropic-workspace-id'] as const;

/** `/v1/agents…`, `/v1/environments…`, `/v1/files…` and `/v1/sessions…`, as the official SDK calls them. */
/** `/v1/agents…`, `/v1/environments…` and `/v1/sessions…`, as the official SDK calls them, and what goes beyond the API. */
export function catalogRoutes(app: FastifyInstance, deps: CatalogDependencies): void {
  void app.register(async (scope) => {
    scope.addHook('onRequest', async (request, reply) => {
      const ignored = IGNORED_HEADERS.filter((name) => request.headers[name] !== undefined);
      if (ignored.length > 0) reply.header('x-roundhouse-ignored', ignored.join(', '));
    });
    for (const route of ROUTES) route(scope, deps);
  });
}

const ROUTES: readonly ((app: FastifyInstance, deps: CatalogDependencies) => void)[] = [
  createAgentRoute,
  listAgentsRoute,
  readAgentRoute,
  updateAgentRoute,
  archiveAgentRoute,
  listAgentVersionsRoute,
  createEnvironmentRoute,
  listEnvironmentsRoute,
  readEnvironmentRoute,
  updateEnvironmentRoute,
  archiveEnvironmentRoute,
  deleteEnvironmentRoute,
  uploadFileRoute,
  listFilesRoute,
  readFileRoute,
  downloadFileRoute,
  deleteFileRoute,
  createManagedSessionRoute,
  listManagedSessionsRoute,
  readManagedSessionRoute,
  updateManagedSessionRoute,
  archiveManagedSessionRoute,
  deleteManagedSessionRoute,
  sendEventsRoute,
  listEventsRoute,
  streamEventsRoute,
  forkSessionRoute,
  warmManagedSessionRoute,
  rewindSessionRoute,
  agentEventsRoute,
  transcriptRoute,
];
