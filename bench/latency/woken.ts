import { randomUUID } from 'node:crypto';
import { z } from 'zod';

import { preparedTurn, slowRounds, talk, type Bench } from './bench.ts';
import { compare, runRounds, type Variant } from './rounds.ts';
import type { Comparison } from '../comparison.ts';

/** Turns that the conversations have before they are woken for the first time. */
const TURNS = 100;
const QUICK_TURNS = 5;
const OURS = 'server';

/**
 * A long conversation whose process was taken, and is brought back ahead of its next prompt: beside a new one on a process
 * that was prepared, which knows nothing, and beside the same without being brought back.
 */
export async function measureWoken(bench: Bench): Promise<Comparison[]> {
  const { bare, server, client, stores, calm, quick } = bench;
  const turns = quick ? QUICK_TURNS : TURNS;
  console.log(`woken: two conversations of ${turns} turns are made first.`);
  const sessionId = randomUUID();
  await talk(bare, sessionId, stores.sqlite, turns);
  const name = 'woken';
  for (let turn = 0; turn < turns; turn += 1) await client.turn(name);

  const ours =
    (ahead: () => Promise<void>): Variant['turn'] =>
    async () => {
      await server.call('takeProcess', name, z.unknown());
      await ahead();
      return client.turn(name);
    };
  const variants: Variant[] = [
    {
      name: 'startup(), new session',
      turn: () => preparedTurn(bare, { sessionId: randomUUID(), store: stores.sqlite }),
    },
    {
      name: 'startup({resume}) ahead',
      turn: () => preparedTurn(bare, { sessionId, resume: true, store: stores.sqlite }),
    },
    { name: 'server, not woken', turn: ours(async () => {}) },
    { name: OURS, turn: ours(() => client.warm(name)) },
  ];
  const timings = await runRounds(variants, slowRounds(quick), calm);
  return compare(`woken, ${turns} turns`, timings, OURS);
}
