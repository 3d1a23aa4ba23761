import type { SessionStore } from '@anthropic-ai/claude-agent-sdk';

import { BareAgent, type BareSetup, type BareStart, type Way } from './bare-agent.ts';
import type { HttpClient } from './http-client.ts';
import type { Timing } from './prompts.ts';
import type { Rounds } from './rounds.ts';
import type { Calm } from '../calm.ts';
import type { Child } from '../child.ts';
import { monotonicMs } from '../../src/time/clock.ts';

/** What the ways to a first text are measured with: the bare SDK on one side, a server and its client on the other. */
export interface Bench {
  readonly bare: BareSetup;
  readonly server: Child;
  readonly client: HttpClient;
  readonly stores: { readonly sqlite: SessionStore; readonly memory: SessionStore };
  readonly calm: Calm;
  readonly quick: boolean;
}

/** Rounds that start processes. */
export function slowRounds(quick: boolean): Rounds {
  return { count: quick ? 1 : 10, warmUps: quick ? 0 : 1, calmEvery: 1 };
}

/** Rounds on live processes. */
export function warmRounds(quick: boolean): Rounds {
  return { count: quick ? 5 : 80, warmUps: quick ? 1 : 10, calmEvery: 5 };
}

/** A process for one turn; its start belongs to the turn. */
export async function oneTurn(bare: BareSetup, start: BareStart, way: Way): Promise<Timing> {
  const startedAtMs = monotonicMs();
  const agent = await BareAgent.open(bare, start, way);
  try {
    return await agent.turn(startedAtMs);
  } finally {
    await agent.close();
  }
}

/** A process for one turn, made ready by \`startup()\` before the clock starts. */
export async function preparedTurn(bare: BareSetup, start: BareStart): Promise<Timing> {
  const agent = await BareAgent.open(bare, start, 'startup');
  try {
    return await agent.turn();
  } finally {
    await agent.close();
  }
}

/** Makes a conversation of so many turns. */
export async function talk(
  bare: BareSetup,
  sessionId: string,
  store: SessionStore,
  turns: number,
): Promise<void> {
  const agent = await BareAgent.open(bare, { sessionId, store }, 'startup');
  for (let turn = 0; turn < turns; turn += 1) await agent.turn();
  await agent.close();
}
