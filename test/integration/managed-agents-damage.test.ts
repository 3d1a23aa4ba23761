import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { InternalServerError, toFile, type Anthropic } from '@anthropic-ai/sdk';
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { loadConfig, PrometheusMetrics, startServer } from '../../src/server.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { failure } from '../support/catalog-server.ts';
import { officialClient } from '../support/official-client.ts';

let root: string;
/** What the server has named in its log as damaged, and what it has counted. */
let named: string[];
let counted: string[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'roundhouse-damage-'));
  named = [];
  counted = [];
  return () => rm(root, { recursive: true, force: true });
});

/** A whole server on the data directory. No session is prompted, so no agent is started. */
async function started(): Promise<{ client: Anthropic; close: () => Promise<void> }> {
  const { config } = loadConfig({
    env: {},
    flags: { 'data-dir': join(root, 'data'), port: '0', 'pool-spares-max': '0' },
    readFile: () => '',
  });
  const log = {
    ...NO_TELEMETRY.log,
    error: (event: string, fields: object = {}) => {
      if (event === 'store_row_damaged' && 'what' in fields) named.push(String(fields.what));
    },
  };
  const metrics = new PrometheusMetrics({ log });
  vi.spyOn(metrics, 'count').mockImplementation((name) => void counted.push(name));
  const server = await startServer(config, {
    upstream: { kind: 'simulator', variables: {} },
    telemetry: { log, metrics },
  });
  onTestFinished(() => server.close());
  return { client: officialClient(server.url, { key: 'any' }), close: () => server.close() };
}

function damage(sql: string): void {
  const database = new DatabaseSync(join(root, 'data', 'roundhouse.db'));
  const { changes } = database.prepare(sql).run();
  database.close();
  expect(changes).toBe(1);
}

it('what is damaged hides nothing else, is named in the log, and fails by itself, also after a restart', async () => {
  const first = await started();
  const { beta } = first.client;
  const agents: string[] = [];
  for (const name of ['a', 'b'])
    agents.push((await beta.agents.create({ name, model: 'claude-opus-5-5' })).id);
  const environment = await beta.environments.create({ name: 'here' });
  const made = { agent: agents[0] ?? '', environment_id: environment.id };
  const sessions: string[] = [];
  for (let count = 0; count < 3; count += 1) sessions.push((await beta.sessions.create(made)).id);
  const file = await beta.files.upload({ file: await toFile(Buffer.from('x'), 'a.txt') });
  const [whole, noRow, noDocument] = sessions;

  damage(`update sessions set options = '{' where id = '${noRow}'`);
  damage(`update catalog_versions set body = '{' where document_id = '${noDocument}'`);
  damage(`update catalog_versions set body = '{' where document_id = '${agents[1]}'`);
  damage(`update catalog_versions set body = '{' where document_id = '${file.id}'`);

  const check = async ({ beta: now }: Anthropic): Promise<void> => {
    for (let times = 0; times < 2; times += 1) {
      expect((await now.sessions.list()).data.map(({ id }) => id)).toEqual([whole]);
      expect((await now.agents.list()).data.map(({ id }) => id)).toEqual([agents[0]]);
      expect((await now.files.list()).data).toEqual([]);
    }
    for (const id of [noRow, noDocument]) {
      const error = await failure(now.sessions.retrieve(id ?? ''), InternalServerError);
      expect(error.errorCode).toBe('storage_failed');
      expect(error.message).toContain(`${id}`);
    }
    expect(new Set(named)).toEqual(
      new Set([
        `session ${noRow}`,
        `definition of session ${noDocument} (version 1)`,
        `definition of agent ${agents[1]} (version 1)`,
        `definition of file ${file.id} (version 1)`,
      ]),
    );
    expect(named).toHaveLength(4);
    const of = 'roundhouse_store_rows_damaged_total';
    expect(counted.filter((name) => name === of)).toHaveLength(4);
  };
  await check(first.client);
  await first.close();
  named = [];
  counted = [];
  const second = await started();
  await check(second.client);
  // What the file was may be in a backup; its bytes are nowhere else.
  expect(await readdir(join(root, 'data', 'files'), { recursive: true })).toContain(file.id);
});
