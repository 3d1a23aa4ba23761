import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Anthropic from '@anthropic-ai/sdk';
import { expect, onTestFinished } from 'vitest';
import type { AgentRules } from '../../src/catalog/agent-plan.ts';
import { Agents } from '../../src/catalog/agents.ts';
import { Environments, type EnvironmentRules } from '../../src/catalog/environments.ts';
import type { FileLimits } from '../../src/catalog/file-quota.ts';
import { Files } from '../../src/catalog/files.ts';
import { PromptFiles } from '../../src/catalog/prompt-files.ts';
import { poolPorts, type PoolPorts } from '../../src/catalog/pool-ports.ts';
import { SessionEvents } from '../../src/catalog/session-events.ts';
import { SessionExtensions } from '../../src/catalog/session-extensions.ts';
import { Sessions, type PlaceFiles } from '../../src/catalog/sessions.ts';
import type { ClientTool } from '../../src/contracts/tool-endpoint.ts';
import { hashKey } from '../../src/http/auth.ts';
import { FakePool } from '../../src/http/testing/fake-pool.ts';
import { testApp } from '../../src/http/testing/test-app.ts';
import { DiskFileStore } from '../../src/store/files/disk-file-store.ts';
import { AgentMessages } from '../../src/log/agent-messages.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { McpToolEndpoint } from '../../src/tool-endpoint/mcp-tool-endpoint.ts';
import { FakeHost } from './fake-host.ts';
import { officialClient } from './official-client.ts';
import { AnswerChecker, documentFrom } from './openapi/answer-checker.ts';
import { checkedFetch } from './openapi/checked-fetch.ts';
import { makePool, type PoolFixture, type PoolFixtureOptions } from './pool-fixture.ts';

/** What the operator of a {@link CatalogServer} allows. Default: all that is asked for, but no folder. */
export interface CatalogServerOptions
  extends Partial<EnvironmentRules>, Partial<Pick<AgentRules, 'ownTools' | 'mcpServerProblem'>> {
  /** What the sessions' pool is made of. */
  readonly pool?: Omit<PoolFixtureOptions, 'store' | keyof PoolPorts>;
  readonly placeFiles?: PlaceFiles;
  /** Default: what tests need. */
  readonly fileLimits?: Partial<FileLimits>;
  /** Default 30 s. */
  readonly readerMaxLagMs?: number;
  /** Default true. */
  readonly agentEvents?: boolean;
}

/** A server with a catalog on a real file, without agents, and the official clients of its two keys. */
export interface CatalogServer {
  readonly url: string;
  readonly files: Files;
  /** Where their bytes are. */
  readonly filesFolder: string;
  readonly alice: Anthropic;
  readonly bob: Anthropic;
  /** A request of alice that the client would not make. */
  fetch(
    path: string,
    init?: {
      method?: string;
      headers?: Record<string, string>;
      body?: NonNullable<RequestInit['body']>;
    },
  ): Promise<Response>;
  /** An upload of alice by hand; its parts are between lines of `b`. */
  send(body: string, type?: string): Promise<Response>;
  /** The body of a request that the client's types would not let through, or its failure. */
  post(path: string, body: unknown): Promise<{ status: number; body: unknown }>;
  /** What sessions run on: scripted agents, a host without a machine. */
  readonly fixture: PoolFixture;
  readonly sessions: Sessions;
}

/** Starts one, which goes with the test. */
export async function catalogServer(options: CatalogServerOptions = {}): Promise<CatalogServer> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-catalog-'));
  const filesFolder = join(folder, 'files');
  const store = await openSqliteStore({ path: join(folder, 'roundhouse.db') });
  const keys = [
    { id: 'alice', hash: hashKey('key-a') },
    { id: 'bob', hash: hashKey('key-b') },
  ];
  const rules = {
    folderAllowed: options.folderAllowed ?? (() => false),
    variableAllowed: options.variableAllowed ?? (() => true),
  };
  const http = {
    keys,
    models: ['claude-opus-5-5', 'sonnet'],
    maxBodyBytes: 1_000_000,
    readerMaxLagMs: options.readerMaxLagMs ?? 30_000,
  };
  const toolEndpoint = new McpToolEndpoint(NO_TELEMETRY);
  const agentRules = {
    ownTools: options.ownTools ?? true,
    mcpServerProblem: options.mcpServerProblem ?? (() => undefined),
    toolProblem: (tool: ClientTool) => toolEndpoint.problemOf(tool),
  };
  const agents = new Agents({ store: store.catalog, rules: agentRules });
  const environments = new Environments({ store: store.catalog, rules });
  const ports = poolPorts(store.catalog, environments);
  const agentMessages = options.agentEvents === false ? undefined : new AgentMessages();
  const fixture = makePool({
    ...options.pool,
    store,
    ...ports,
    driver: {
      ...options.pool?.driver,
      ...(agentMessages !== undefined && { watcher: agentMessages }),
    },
  });
  const { pool } = fixture;
  const files = new Files({
    store: store.catalog,
    bytes: await DiskFileStore.open(filesFolder),
    host: new FakeHost(),
    limits: {
      maxFileBytes: 1_000_000,
      maxKeyBytes: 10_000_000,
      maxKeyFiles: 1_000,
      ...options.fileLimits,
    },
    log: NO_TELEMETRY.log,
  });
  await files.recover();
  const promptFiles = new PromptFiles({ files, maxBytes: http.maxBodyBytes });
  const sessions = new Sessions({
    store: store.catalog,
    agents,
    environments,
    rules: agentRules,
    pool,
    promptFiles,
    ...(options.placeFiles !== undefined && { placeFiles: options.placeFiles }),
    cloneRepository: (_tenant, ...clone) => fixture.host.cloneRepository(...clone),
  });
  const { app } = testApp(http, new FakePool(), {
    pool,
    catalog: {
      agents,
      environments,
      files,
      sessions,
      events: new SessionEvents({ sessions, pool, promptFiles, store }),
      extensions: new SessionExtensions({ sessions, pool, agentMessages }),
    },
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  const checked = checkedFetch(new AnswerChecker(await documentFrom(url)));
  const request: CatalogServer['fetch'] = (path, init = {}) =>
    checked.fetch(`${url}${path}`, { ...init, headers: { 'x-api-key': 'key-a', ...init.headers } });
  onTestFinished(async () => {
    // A test of one route is a test of its description too.
    expect(checked.mistakes).toEqual([]);
  });
  onTestFinished(async () => {
    const closed = app.close();
    // Whoever has read all bytes of a download may be here before its answer has ended, and Node keeps that connection.
    app.server.closeAllConnections();
    await closed;
    await pool.close();
    files.close();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    url,
    fixture,
    sessions,
    files,
    filesFolder,
    alice: officialClient(url, { key: 'key-a', fetch: checked.fetch }),
    bob: officialClient(url, { key: 'key-b', fetch: checked.fetch }),
    fetch: request,
    send(body, type = 'multipart/form-data; boundary=b') {
      return request('/v1/files', {
        method: 'POST',
        headers: { 'content-type': type },
        body: Buffer.from(body),
      });
    },
    async post(path, body) {
      const response = await fetch(`${url}${path}`, {
        method: 'POST',
        headers: { 'x-api-key': 'key-a', 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return { status: response.status, body: await response.json() };
    },
  };
}

/** A caught failure, as an error of that class. */
export async function failure<E extends Error>(
  promise: Promise<unknown>,
  kind: abstract new (...args: never[]) => E,
): Promise<E> {
  const error: unknown = await promise.then(
    () => new Error('It was expected to fail.'),
    (reason: unknown) => reason,
  );
  if (error instanceof kind) return error;
  throw error;
}
