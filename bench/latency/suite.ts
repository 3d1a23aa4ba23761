import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SessionStore } from '@anthropic-ai/claude-agent-sdk';
import { z } from 'zod';

import { BareAgent, type Way } from './bare-agent.ts';
import { HttpClient } from './http-client.ts';
import { oneTurn, preparedTurn, slowRounds, talk, warmRounds, type Bench } from './bench.ts';
import { compare, runRounds, type Variant } from './rounds.ts';
import { sdkStore } from './sdk-store.ts';
import { measureWoken } from './woken.ts';
import { Calm } from '../calm.ts';
import { startChild } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { serveSuite, type SuiteOptions } from '../suite.ts';
import { MemorySessionStore } from '../../src/store/memory/memory-session-store.ts';
import { openSqliteStore } from '../../src/store/sql/open-sqlite-store.ts';

/** Any key will do for the simulator. */
const API_KEY = 'bench';
/** Turns that a conversation has before it is resumed for the first time. */
const HISTORY_TURNS = 3;
/** How long all waits for a calm machine together may take. */
const PATIENCE_MS = 40_000;
const OURS = 'server';
/** Ours resumes by `startup` and from SQLite, so the first is its like; the others show what the way and the store cost. */
const BARE_RESUMES = [
  ['startup', 'sqlite'],
  ['query', 'sqlite'],
  ['startup', 'memory'],
] as const satisfies readonly [Way, keyof Bench['stores']][];

serveSuite(runLatency);

/** Prompt to first text, and to the end of the turn: the bare SDK in this process, and a client of the server in this process. */
async function runLatency({ quick, folder, environment }: SuiteOptions): Promise<Comparison[]> {
  const simulator = startChild(new URL('simulator-process.ts', import.meta.url), { environment });
  const server = startChild(new URL('server-process.ts', import.meta.url), {
    environment,
    errorFile: join(folder, 'server.log'),
  });
  const sqlite = await openSqliteStore({ path: join(folder, 'bare.db') });
  const memory = new MemorySessionStore();
  const bareFolder = join(folder, 'bare');
  mkdirSync(bareFolder);
  try {
    const simulatorUrl = await simulator.call('start', null, z.string());
    const dataDir = join(folder, 'data');
    const start = { dataDir, simulatorUrl, apiKey: API_KEY };
    const url = await server.call('start', start, z.string());
    const client = new HttpClient(url);
    const bench: Bench = {
      bare: {
        folder: bareFolder,
        credentials: { ANTHROPIC_BASE_URL: simulatorUrl, ANTHROPIC_API_KEY: API_KEY },
      },
      server,
      client,
      stores: { sqlite: sdkStore(sqlite.transcripts), memory: sdkStore(memory.transcripts) },
      calm: new Calm(quick ? 0 : PATIENCE_MS),
      quick,
    };
    const comparisons = [
      ...(await cold(bench)),
      ...(await prepared(bench)),
      ...(await onSpare(bench, { simulatorUrl, folder, environment })),
      ...(await warm(bench)),
      ...(await resumed(bench)),
      ...(await measureWoken(bench)),
    ];
    client.close();
    if (!quick) {
      const { calm, busy } = bench.calm.report;
      console.log(`Begun on a calm machine: ${calm} of ${calm + busy} groups of rounds.`);
    }
    return comparisons;
  } finally {
    await server.end();
    await simulator.end();
    await sqlite.close();
    await memory.close();
  }
}

/** A conversation that nobody knows: nothing is ready. */
async function cold({ bare, server, client, calm, quick }: Bench): Promise<Comparison[]> {
  const bareCold = (way: Way): Variant => ({
    name: way === 'query' ? 'query()' : 'startup() + query()',
    turn: () => oneTurn(bare, { sessionId: randomUUID() }, way),
  });
  const ours: Variant = {
    name: OURS,
    async turn() {
      const name = `cold-${randomUUID()}`;
      const timing = await client.turn(name);
      await server.call('remove', name, z.unknown());
      return timing;
    },
  };
  const variants = [bareCold('query'), bareCold('startup'), ours];
  return compare('cold', await runRounds(variants, slowRounds(quick), calm), OURS);
}

/** The process stands ready and has had no prompt. */
async function prepared({
  bare,
  server,
  client,
  stores,
  calm,
  quick,
}: Bench): Promise<Comparison[]> {
  const barePrepared = (name: string, store?: SessionStore): Variant => ({
    name,
    turn: () =>
      preparedTurn(bare, { sessionId: randomUUID(), ...(store === undefined ? {} : { store }) }),
  });
  const ours: Variant = {
    name: OURS,
    async turn() {
      const name = `prepared-${randomUUID()}`;
      await server.call('connect', name, z.unknown());
      const timing = await client.turn(name);
      await server.call('remove', name, z.unknown());
      return timing;
    },
  };
  const variants = [
    barePrepared('startup(), then query()'),
    barePrepared('the same, SQLite store', stores.sqlite),
    ours,
  ];
  return compare('prepared', await runRounds(variants, slowRounds(quick), calm), OURS);
}

/** A new session on a server that has a process prepared for it, beside what it costs without, and beside the bare SDK's preparing. */
async function onSpare(
  { bare, server, client, stores, calm, quick }: Bench,
  {
    simulatorUrl,
    folder,
    environment,
  }: Pick<SuiteOptions, 'folder' | 'environment'> & { simulatorUrl: string },
): Promise<Comparison[]> {
  const spareServer = startChild(new URL('server-process.ts', import.meta.url), {
    environment,
    errorFile: join(folder, 'spare-server.log'),
  });
  try {
    const start = {
      dataDir: join(folder, 'spare-data'),
      simulatorUrl,
      apiKey: API_KEY,
      flags: { 'pool-spares-max': '1' },
    };
    const spareClient = new HttpClient(await spareServer.call('start', start, z.string()));
    // The first one teaches the server what to prepare.
    await spareClient.turn('teacher');
    await spareServer.call('remove', 'teacher', z.unknown());
    const variants: Variant[] = [
      { name: 'query()', turn: () => oneTurn(bare, { sessionId: randomUUID() }, 'query') },
      {
        name: 'startup(), then query()',
        turn: () => preparedTurn(bare, { sessionId: randomUUID(), store: stores.sqlite }),
      },
      {
        name: 'server, no spare',
        async turn() {
          const name = `cold-${randomUUID()}`;
          const timing = await client.turn(name);
          await server.call('remove', name, z.unknown());
          return timing;
        },
      },
      {
        name: OURS,
        async turn() {
          const name = `spare-${randomUUID()}`;
          await spareServer.call('spareReady', null, z.unknown());
          const timing = await spareClient.turn(name);
          await spareServer.call('remove', name, z.unknown());
          return timing;
        },
      },
    ];
    const comparisons = compare('spare', await runRounds(variants, slowRounds(quick), calm), OURS);
    spareClient.close();
    return comparisons;
  } finally {
    await spareServer.end();
  }
}

/** A further turn on a live process. */
async function warm({ bare, client, stores, calm, quick }: Bench): Promise<Comparison[]> {
  const plain = await BareAgent.open(bare, { sessionId: randomUUID() }, 'startup');
  const kept = await BareAgent.open(
    bare,
    { sessionId: randomUUID(), store: stores.sqlite },
    'startup',
  );
  const variants: Variant[] = [
    { name: 'live query', turn: () => plain.turn() },
    { name: 'live query, SQLite store', turn: () => kept.turn() },
    { name: OURS, turn: () => client.turn('warm') },
  ];
  try {
    return compare('warm', await runRounds(variants, warmRounds(quick), calm), OURS);
  } finally {
    await plain.close();
    await kept.close();
  }
}

/** A conversation whose process is gone, taken up in a new one from the transcript in a store. */
async function resumed(bench: Bench): Promise<Comparison[]> {
  const { bare, server, client, stores, calm, quick } = bench;
  const variants: Variant[] = [];
  for (const [way, kind] of quick ? BARE_RESUMES.slice(0, 1) : BARE_RESUMES) {
    const sessionId = randomUUID();
    const store = stores[kind];
    await talk(bare, sessionId, store, HISTORY_TURNS);
    variants.push({
      name: `${way}({resume}), ${kind}`,
      turn: () => oneTurn(bare, { sessionId, resume: true, store }, way),
    });
  }
  const name = 'resumed';
  for (let turn = 0; turn < HISTORY_TURNS; turn += 1) await client.turn(name);
  await server.call('takeProcess', name, z.unknown());
  variants.push({
    name: OURS,
    async turn() {
      const timing = await client.turn(name);
      await server.call('takeProcess', name, z.unknown());
      return timing;
    },
  });
  return compare('resumed', await runRounds(variants, slowRounds(quick), calm), OURS);
}
