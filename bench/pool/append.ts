import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

import type { SessionStore } from '../../src/contracts/session-store.ts';
import { newEventId, newSessionId, newTurnId } from '../../src/events/ids.ts';
import type { NewRecord } from '../../src/events/record.ts';
import { SessionLog } from '../../src/log/session-log.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';
import { NO_TELEMETRY } from '../../src/telemetry/telemetry.ts';
import { monotonicMs, wallClockIso } from '../../src/time/clock.ts';
import type { Comparison } from '../comparison.ts';

/** How records are appended: by so many sessions at once, each waiting for its own, and so many in one append. */
interface Shape {
  readonly what: string;
  readonly sessions: number;
  readonly batch: number;
}

const SHAPES: readonly Shape[] = [
  { what: 'append', sessions: 1, batch: 1 },
  { what: 'append, 50 sessions', sessions: 50, batch: 1 },
  { what: 'append, 20 records each', sessions: 1, batch: 20 },
];

/** A way to append; one for each session. */
type Append = (records: readonly NewRecord[]) => Promise<unknown>;

interface Target {
  readonly name: string;
  readonly openSession: () => Promise<Append>;
}

interface Samples {
  readonly recordsPerSecond: number[];
  readonly latenciesUs: number[];
}

/** Appends through log and store, on SQLite, in memory, and beside them rows written with `node:sqlite` alone. */
export async function measureAppend(folder: string, quick: boolean): Promise<Comparison[]> {
  const rounds = quick ? 3 : 5;
  const records = quick ? 1_000 : 3_000;
  const sqlite = await openSqliteStore({ path: join(folder, 'append.db') });
  const memory = new MemorySessionStore();
  const raw = openRaw(join(folder, 'raw.db'));
  const targets: Target[] = [
    { name: 'node:sqlite alone', openSession: () => Promise.resolve(rawAppend(raw)) },
    { name: 'log, memory store', openSession: () => logOver(memory) },
    { name: 'log, SQLite store', openSession: () => logOver(sqlite) },
  ];
  try {
    const comparisons: Comparison[] = [];
    for (const shape of SHAPES) {
      comparisons.push(...(await measureShape(shape, targets, rounds, records)));
    }
    return comparisons;
  } finally {
    raw.close();
    await sqlite.close();
    await memory.close();
  }
}

async function measureShape(
  shape: Shape,
  targets: readonly Target[],
  rounds: number,
  records: number,
): Promise<Comparison[]> {
  const samples = targets.map((): Samples => ({ recordsPerSecond: [], latenciesUs: [] }));
  for (let round = -1; round < rounds; round += 1) {
    for (const [index, target] of targets.entries()) {
      const run = await runOnce(shape, target, records);
      if (round < 0) continue;
      samples[index]?.recordsPerSecond.push(run.recordsPerSecond);
      samples[index]?.latenciesUs.push(...run.latenciesUs);
    }
  }
  const ours = samples.at(-1) ?? { recordsPerSecond: [], latenciesUs: [] };
  const bases = targets.slice(0, -1).map(({ name }, index) => ({ name, samples: samples[index] }));
  return [
    ...bases.map(({ name, samples: base }): Comparison => ({
      what: shape.what,
      unit: 'records/s',
      base: { name, samples: base?.recordsPerSecond ?? [] },
      ours: ours.recordsPerSecond,
    })),
    ...bases.map(({ name, samples: base }): Comparison => ({
      what: `${shape.what}, latency`,
      unit: 'µs',
      base: { name, samples: base?.latenciesUs ?? [] },
      ours: ours.latenciesUs,
    })),
  ];
}

async function runOnce({ sessions, batch }: Shape, target: Target, records: number) {
  const appends: Append[] = [];
  for (let made = 0; made < sessions; made += 1) appends.push(await target.openSession());
  const turnId = newTurnId();
  const latenciesUs: number[] = [];
  const startedAtMs = monotonicMs();
  await Promise.all(
    appends.map(async (append) => {
      for (let written = 0; written < records / sessions; written += batch) {
        const rows = Array.from({ length: batch }, () => record(turnId));
        const askedAtMs = monotonicMs();
        await append(rows);
        latenciesUs.push((monotonicMs() - askedAtMs) * 1000);
      }
    }),
  );
  const recordsPerSecond = (records / (monotonicMs() - startedAtMs)) * 1000;
  return { recordsPerSecond, latenciesUs };
}

function record(turnId: string): NewRecord {
  return {
    turnId,
    body: {
      type: 'agent.message',
      id: newEventId(),
      processed_at: wallClockIso(),
      content: [{ type: 'text', text: 'The engine stands in the roundhouse with its fire lit.' }],
    },
    detail: { modelMessageId: 'msg_bench', blockIndex: 0 },
  };
}

async function logOver(store: SessionStore): Promise<Append> {
  const id = newSessionId();
  const session = await store.createSession({
    id,
    tenant: 'default',
    name: id,
    agentSessionId: id,
    options: {},
    limits: {},
    workspace: '/nowhere',
    ownsWorkspace: true,
    kind: 'named',
    createdAt: wallClockIso(),
    owner: 'bench',
  });
  const log = new SessionLog({
    sessionId: id,
    epoch: session.epoch,
    lastNumber: 0,
    store,
    telemetry: NO_TELEMETRY,
  });
  return (records) => log.append(records);
}

/** The same pragmas as the store's, and one table. */
function openRaw(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  database.exec('pragma journal_mode = wal; pragma synchronous = normal');
  database.exec(
    'create table events (session_id text, number integer, type text, body text, detail text, primary key (session_id, number))',
  );
  return database;
}

function rawAppend(database: DatabaseSync): Append {
  const sessionId = newSessionId();
  const insert = database.prepare('insert into events values (?, ?, ?, ?, ?)');
  let number = 0;
  return async (records) => {
    database.exec('begin immediate');
    for (const { body, detail } of records) {
      number += 1;
      insert.run(sessionId, number, body.type, JSON.stringify(body), JSON.stringify(detail));
    }
    database.exec('commit');
  };
}
