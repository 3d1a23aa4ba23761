import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Anthropic from '@anthropic-ai/sdk';
import { onTestFinished } from 'vitest';
import type { AgentRules } from '../../src/catalog/agent-plan.ts';
import { Agents } from '../../src/catalog/agents.ts';
import { Environments, type EnvironmentRules } from '../../src/catalog/environments.ts';
import { sessionVariables } from '../../src/catalog/session-variables.ts';
import { Sessions, type PlaceFiles } from '../../src/catalog/sessions.ts';
import type { ClientTool } from '../../src/contracts/tool-endpoint.ts';
import { hashKey } from '../../src/http/auth.ts';
import { FakePool } from '../../src/http/testing/fake-pool.ts';
import { testApp } from '../../src/http/testing/test-app.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { McpToolEndpoint } from '../../src/tool-endpoint/mcp-tool-endpoint.ts';
import { officialClient } from './official-client.ts';
import { makePool, type PoolFixture, type PoolFixtureOptions } from './pool-fixture.ts';

/** What the operator of a {@link CatalogServer} allows. Default: all that is asked for, but no folder. */
export interface CatalogServerOptions
  extends Partial<EnvironmentRules>, Partial<Pick<AgentRules, 'ownTools' | 'mcpServerProblem'>> {
  /** What the sessions' pool is made of. */
  readonly pool?: Omit<PoolFixtureOptions, 'store' | 'variablesOf'>;
  readonly placeFiles?: PlaceFiles;
}

/** A server with a catalog on a real file, without agents, and the official clients of its two keys. */
export interface CatalogServer {
  readonly url: string;
  readonly alice: Anthropic;
  readonly bob: Anthropic;
  /** The body of a request that the client's types would not let through, or its failure. */
  post(path: string, body: unknown): Promise<{ status: number; body: unknown }>;
  /** What sessions run on: scripted agents, a host without a machine. */
  readonly fixture: PoolFixture;
  readonly sessions: Sessions;
}

/** Starts one, which goes with the test. */
export async function catalogServer(options: CatalogServerOptions = {}): Promise<CatalogServer> {
  const folder = await mkdtemp(join(tmpdir(), 'roundhouse-catalog-'));
  const store = await openSqliteStore({ path: join(folder, 'roundhouse.db') });
  const keys = [
    { id: 'alice', hash: hashKey('key-a') },
    { id: 'bob', hash: hashKey('key-b') },
  ];
  const rules = {
    folderAllowed: options.folderAllowed ?? (() => false),
    variableAllowed: options.variableAllowed ?? (() => true),
  };
  const http = { keys, models: ['claude-opus-5-5', 'sonnet'], maxBodyBytes: 1_000_000 };
  const toolEndpoint = new McpToolEndpoint(NO_TELEMETRY);
  const agentRules = {
    ownTools: options.ownTools ?? true,
    mcpServerProblem: options.mcpServerProblem ?? (() => undefined),
    toolProblem: (tool: ClientTool) => toolEndpoint.problemOf(tool),
  };
  const agents = new Agents({ store: store.catalog, rules: agentRules });
  const environments = new Environments({ store: store.catalog, rules });
  const variablesOf = sessionVariables(store.catalog, environments);
  const fixture = makePool({ ...options.pool, store, variablesOf });
  const { pool } = fixture;
  const sessions = new Sessions({
    store: store.catalog,
    agents,
    environments,
    rules: agentRules,
    pool,
    ...(options.placeFiles !== undefined && { placeFiles: options.placeFiles }),
  });
  const { app } = testApp(http, new FakePool(), {
    catalog: { agents, environments, sessions },
  });
  const url = await app.listen({ port: 0, host: '127.0.0.1' });
  onTestFinished(async () => {
    await app.close();
    await pool.close();
    await store.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    url,
    fixture,
    sessions,
    alice: officialClient(url, { key: 'key-a' }),
    bob: officialClient(url, { key: 'key-b' }),
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
