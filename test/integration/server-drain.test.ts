import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { loadConfig, PrometheusMetrics, startServer } from '../../src/server.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';

it('a server that is asked over HTTP to drain answers, stops and lets its port go', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'roundhouse-drain-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const { log } = NO_TELEMETRY;
  const { config } = loadConfig({
    env: {},
    flags: { 'data-dir': dataDir, port: '0' },
    readFile: () => '',
  });
  const server = await startServer(config, {
    upstream: { kind: 'simulator', variables: {} },
    telemetry: { log, metrics: new PrometheusMetrics({ log }) },
  });
  const asked = await fetch(`${server.url}/admin/drain`, { method: 'POST' });
  expect([asked.status, await asked.json()]).toEqual([
    202,
    { draining: true, deadlineMs: config.pool.drainMs },
  ]);
  await server.stopped;
  await expect(fetch(`${server.url}/health/live`)).rejects.toThrow('fetch failed');
  await server.drain('again');
  await server.close();
});
