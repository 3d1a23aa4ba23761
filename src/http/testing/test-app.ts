import type { FastifyInstance } from 'fastify';
import { NO_TELEMETRY } from '../../telemetry/telemetry.ts';
import type { LogFields, Telemetry } from '../../telemetry/telemetry.ts';
import { createApp } from '../app.ts';
import type { AppDependencies } from '../deps.ts';
import type { HttpOptions } from '../options.ts';
import { FakePool } from './fake-pool.ts';

export interface TestApp {
  readonly app: FastifyInstance;
  readonly pool: FakePool;
  readonly logged: { level: string; event: string; fields: LogFields }[];
}

/** An app on a {@link FakePool}, with short times, that keeps what it logs. */
export function testApp(
  options: Partial<HttpOptions> = {},
  pool = new FakePool(),
  rest: Partial<AppDependencies> = {},
): TestApp {
  const logged: TestApp['logged'] = [];
  const at =
    (level: string) =>
    (event: string, fields: LogFields = {}): void => {
      logged.push({ level, event, fields });
    };
  const telemetry: Telemetry = {
    metrics: NO_TELEMETRY.metrics,
    log: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
  };
  const app = createApp({
    pool,
    telemetry,
    options: {
      keys: [],
      models: ['claude-a', 'claude-b'],
      maxBodyBytes: 100_000,
      statusHoldMs: 10_000,
      heartbeatMs: 15_000,
      readerMaxLagMs: 30_000,
      oneShotGraceMs: 0,
      ...options,
    },
    renderMetrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    ...rest,
  });
  return { app, pool, logged };
}

/** The events of a stream's text, in order; comments left out. */
export function sseEvents(text: string): { id?: string; event: string; data: unknown }[] {
  return text.split('\n\n').flatMap((block) => {
    const fields = new Map(
      block.split('\n').flatMap((line) => {
        const match = /^(\w+): (.*)$/.exec(line);
        return match === null ? [] : [[match[1] ?? '', match[2] ?? ''] as const];
      }),
    );
    const event = fields.get('event');
    if (event === undefined) return [];
    const id = fields.get('id');
    const data: unknown = JSON.parse(fields.get('data') ?? 'null');
    return [{ ...(id === undefined ? {} : { id }), event, data }];
  });
}
