import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import { z } from 'zod';
import { ScriptedDriver } from '../../../src/agent/scripted/scripted-driver.ts';
import { hashKey } from '../../../src/http/auth.ts';
import type { OpenApiDocument } from '../../../src/http/openapi/document-types.ts';
import {
  loadConfig,
  PrometheusMetrics,
  startServer,
  type RunningServer,
} from '../../../src/server.ts';
import { NO_TELEMETRY } from '../../../src/telemetry/telemetry.ts';
import { AnswerChecker, documentFrom, type Answer } from './answer-checker.ts';
import { MULTIPART } from './multipart.ts';
import { encoded, send, type WireRequest } from './send.ts';

/** Whose requests they are. */
export type Key = 'key-a' | 'key-b';

/** For what goes on behind an answer. */
const SETTLED_MS = 10_000;

/** How many things of a kind requests are made for. */
const NEWEST = 3;

/** A request that makes a thing. */
interface Making {
  readonly path: string;
  readonly body: object;
  /** Default: JSON. */
  readonly media?: typeof MULTIPART;
}

/**
 * How to make what a parameter of a path names, for every parameter that names something of a key; its answer has the id.
 * A new parameter has to be put here, or among {@link SHARED}: a test tells.
 */
export const MAKERS: Readonly<
  Record<string, (make: (parameter: string) => Promise<string>) => Promise<Making>>
> = {
  agentId: async () => ({ path: '/v1/agents', body: { name: 'An agent', model: 'sonnet' } }),
  environmentId: async () => ({ path: '/v1/environments', body: { name: 'An environment' } }),
  fileId: async () => ({ path: '/v1/files', body: { file: 'a,b\n1,2\n' }, media: MULTIPART }),
  // Its id is its name too, so that it is known to both kinds of routes.
  sessionId: async (make) => ({
    path: '/v1/sessions',
    body: { agent: await make('agentId'), environment_id: await make('environmentId') },
  }),
};

const made = z.object({ id: z.string() });

/** Parameters that name nothing of a key, with what there is. */
export const SHARED: Readonly<Record<string, readonly string[]>> = {
  modelId: ['sonnet', 'opus'],
};

/** Everything that is kept, as text: each table, and the names of the files. */
export type Snapshot = Readonly<Record<string, string>>;

/** A whole server on the scripted driver, with two keys, and what it keeps. */
export class ApiWorld {
  readonly url: string;
  readonly document: OpenApiDocument;
  readonly checker: AnswerChecker;
  readonly #server: RunningServer;
  readonly #folder: string;
  readonly #database: DatabaseSync;
  #last: { readonly version: unknown; readonly snapshot: Snapshot } | undefined;
  /** Things of key A, by the parameter that names them. */
  readonly #things = new Map<string, string[]>();

  private constructor(parts: {
    server: RunningServer;
    folder: string;
    database: DatabaseSync;
    document: OpenApiDocument;
  }) {
    this.url = parts.server.url;
    this.document = parts.document;
    this.checker = new AnswerChecker(parts.document);
    this.#server = parts.server;
    this.#folder = parts.folder;
    this.#database = parts.database;
  }

  /** Starts one, which goes with the test. */
  static async open(): Promise<ApiWorld> {
    const folder = await mkdtemp(join(tmpdir(), 'roundhouse-api-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const { config } = loadConfig({
      env: {},
      flags: { 'data-dir': folder, config: 'test.yaml' },
      readFile: () => JSON.stringify(CONFIG),
    });
    const { log } = NO_TELEMETRY;
    const server = await startServer(config, {
      upstream: { kind: 'custom-endpoint', variables: {} },
      telemetry: { log, metrics: new PrometheusMetrics({ log }) },
      driver: new ScriptedDriver(),
    });
    onTestFinished(() => server.close());
    const database = new DatabaseSync(join(folder, 'roundhouse.db'), { readOnly: true });
    onTestFinished(() => database.close());
    return new ApiWorld({ server, folder, database, document: await documentFrom(server.url) });
  }

  /** Sends a request as one of the keys. */
  send(wire: WireRequest, key: Key = 'key-a'): Promise<Answer> {
    return send(this.url, { ...wire, headers: { ...wire.headers, 'x-api-key': key } });
  }

  /** Makes one more of what the parameter names, and gives its id. */
  async make(parameter: string, key: Key = 'key-a'): Promise<string> {
    const maker = MAKERS[parameter];
    if (maker === undefined) throw new Error(`Nobody knows how to make what ${parameter} names.`);
    const { path, body, media } = await maker((other) => this.make(other, key));
    const answer = await this.send(
      {
        method: 'POST',
        target: path,
        ...encoded(media ?? 'application/json', JSON.stringify(body)),
      },
      key,
    );
    if (answer.status !== 200) throw new Error(`POST ${path}: ${answer.status} ${answer.body}`);
    const { id } = made.parse(JSON.parse(answer.body));
    if (key === 'key-a') this.#things.set(parameter, [...(this.#things.get(parameter) ?? []), id]);
    return id;
  }

  /** Makes one more of everything that a parameter can name. */
  async makeEverything(): Promise<void> {
    for (const parameter of Object.keys(MAKERS)) await this.make(parameter);
  }

  /** One of the newest things that a parameter can name: whichever the number falls on. */
  known(parameter: string, choice: number): string {
    const things = SHARED[parameter] ?? this.#things.get(parameter)?.slice(-NEWEST) ?? [];
    return things[choice % things.length] ?? 'none';
  }

  /** Resolves when nothing is under way any more that a request has begun; throws when something stays. */
  async settled(): Promise<void> {
    const from = performance.now();
    while (this.#server.busy || (await this.#leaving()) > 0) {
      if (performance.now() - from > SETTLED_MS)
        throw new Error('What a request began has no end.');
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** What is kept at this moment. */
  async snapshot(): Promise<Snapshot> {
    const version = this.#database.prepare('pragma data_version').get()?.['data_version'];
    const last = this.#last;
    // Nobody has written since: the tables are what they were.
    if (last?.version === version) return { ...last?.snapshot, files: await this.#files() };
    const tables = this.#database
      .prepare("select name from sqlite_schema where type = 'table' order by name")
      .all()
      .map(({ name }) => String(name));
    const rows = tables.map((name) => {
      const all = this.#database.prepare(`select * from "${name}"`).all();
      return [name, all.map((row) => JSON.stringify(row)).join('\n')];
    });
    const snapshot = { ...Object.fromEntries(rows), files: await this.#files() };
    this.#last = { version, snapshot };
    return snapshot;
  }

  async #files(): Promise<string> {
    const names = await readdir(this.#folder, { recursive: true });
    return (
      names
        // Folders of processes come and go with them.
        .filter((name) => !/^(roundhouse\.db|processes)/.test(name))
        .toSorted()
        .join('\n')
    );
  }

  /** One-shot sessions that are there, and workspaces without a session: both go behind the answer. */
  async #leaving(): Promise<number> {
    const rows = this.#database.prepare('select workspace, kind from sessions').all();
    const kept = new Set(rows.map(({ workspace }) => basename(String(workspace))));
    const folders = await readdir(join(this.#folder, 'workspaces')).catch(() => []);
    const oneShots = rows.filter(({ kind }) => kind === 'one_shot');
    return oneShots.length + folders.filter((name) => !kept.has(name)).length;
  }
}

const CONFIG = {
  server: {
    port: 0,
    maxBodyBytes: 200_000,
    oneShotGraceMs: 0,
    agentEvents: true,
    keys: [
      { id: 'alice', hash: hashKey('key-a') },
      { id: 'bob', hash: hashKey('key-b') },
    ],
  },
  agent: { models: ['sonnet', 'opus'], tools: 'on' },
  environments: { variables: ['APP_*'] },
  pool: { spares: { max: 0 }, maxProcesses: 3 },
};
