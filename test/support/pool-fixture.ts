import { FakeHost } from './fake-host.ts';
import {
  ScriptedDriver,
  type ScriptedDriverOptions,
} from '../../src/agent/scripted/scripted-driver.ts';
import type { SessionStore } from '../../src/contracts/session-store.ts';
import type { LogItem } from '../../src/events/preview.ts';
import type { PromptContent } from '../../src/events/record.ts';
import { poolOptionsSchema } from '../../src/pool/options.ts';
import { PolicyAnswerer } from '../../src/pool/policy-answerer.ts';
import { SessionPool, type SessionPoolParts } from '../../src/pool/session-pool.ts';
import { turnLimitsSchema, type TurnLimits } from '../../src/definitions/turn-limits.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import type { LogFields, Telemetry } from '../../src/telemetry/telemetry.ts';

export interface LogLine extends LogFields {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
}

export interface PoolFixtureOptions {
  readonly pool?: Partial<Omit<SessionPoolParts['options'], 'limits'>>;
  readonly limits?: Partial<TurnLimits>;
  readonly driver?: ScriptedDriverOptions;
  readonly tenantLimits?: SessionPoolParts['tenantLimits'];
  readonly workspaces?: SessionPoolParts['workspaces'];
  readonly variablesOf?: SessionPoolParts['variablesOf'];
  readonly budgetOf?: SessionPoolParts['budgetOf'];
  readonly deleted?: SessionPoolParts['deleted'];
  readonly tailLimits?: SessionPoolParts['tailLimits'];
  /** A store, host or driver of an earlier pool, to start again on what it left. */
  readonly store?: SessionStore;
  readonly host?: FakeHost;
}

/** A pool on the scripted driver and the memory store, and everything that it logs and counts. */
export function makePool(options: PoolFixtureOptions = {}) {
  const lines: LogLine[] = [];
  const line =
    (level: LogLine['level']) =>
    (event: string, fields: LogFields = {}): void => {
      lines.push({ ...fields, level, event });
    };
  const counted: { name: string; labels: Readonly<Record<string, string>>; by?: number }[] = [];
  const telemetry: Telemetry = {
    log: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    metrics: {
      count: (name, labels = {}, by?: number) =>
        counted.push({ name, labels, ...(by !== undefined && { by }) }),
      observe: () => {},
    },
  };
  const driver = new ScriptedDriver(options.driver);
  const store = options.store ?? new MemorySessionStore();
  const host = options.host ?? new FakeHost();
  const pool = new SessionPool({
    // Not validated again: tests use limits below the smallest that users may set.
    options: {
      ...poolOptionsSchema.parse({}),
      // Tests of spares switch them on; all others count processes.
      spares: { ...poolOptionsSchema.parse({}).spares, max: 0 },
      maxProcesses: 4,
      maxStarts: 2,
      ...options.pool,
      limits: { ...turnLimitsSchema.parse({}), ...options.limits },
    },
    driver,
    store,
    host,
    answerer: new PolicyAnswerer(),
    telemetry,
    owner: 'test-host',
    ...(options.tenantLimits !== undefined && { tenantLimits: options.tenantLimits }),
    ...(options.workspaces !== undefined && { workspaces: options.workspaces }),
    ...(options.variablesOf !== undefined && { variablesOf: options.variablesOf }),
    ...(options.budgetOf !== undefined && { budgetOf: options.budgetOf }),
    ...(options.deleted !== undefined && { deleted: options.deleted }),
    ...(options.tailLimits !== undefined && { tailLimits: options.tailLimits }),
  });
  return {
    pool,
    driver,
    store,
    host,
    lines,
    counted,
    /** Names of the seed's log events so far, with their level. */
    seedEvents: () =>
      lines
        .filter(({ event }) => event.startsWith('session_'))
        .map(({ level, event }) => `${event} (${level})`),
    line: (event: string) => lines.find((candidate) => candidate.event === event),
  };
}

export type PoolFixture = ReturnType<typeof makePool>;

export function text(prompt: string): PromptContent {
  return [{ type: 'text', text: prompt }];
}

/** Everything that a reader of a turn is given, to its end. */
export async function collect(items: AsyncIterable<LogItem>): Promise<LogItem[]> {
  const collected: LogItem[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** The agent's text among the items: of the records, or of the previews. */
export function answerOf(items: readonly LogItem[]): string {
  return items
    .map(({ record }) => {
      if (record?.body.type !== 'agent.message') return '';
      return record.body.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
    })
    .join('');
}

/** Prompts and waits for the answer. */
export async function ask(
  fixture: PoolFixture,
  sessionId: string,
  prompt: string,
): Promise<string> {
  const client = await fixture.pool.getSessionClient(sessionId);
  const handle = await client.prompt(text(prompt));
  return answerOf(await collect(handle));
}
