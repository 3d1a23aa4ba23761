import { z } from 'zod';

import type { Plan } from './plan.ts';
import { runResultSchema, type RunResult, type StreamKind } from './run-result.ts';
import type { Child } from '../child.ts';
import type { Comparison } from '../comparison.ts';

/** What a stream is read from: a server, the sessions whose streams they are, and by which API. */
export interface Sender {
  readonly name: string;
  readonly server: Child;
  readonly url: string;
  readonly kind: StreamKind;
  /** The session of the stream with that index. */
  readonly session: (index: number) => string;
}

export interface Run extends RunResult {
  /** CPU time of the server per delta, in microseconds. */
  readonly cpuUs: number;
}

/** By the names of senders. */
export type Runs = ReadonlyMap<string, readonly Run[]>;

/** What is run of each sender, and how often. */
export interface RunPlan {
  readonly streams: number;
  readonly plan: Plan;
  readonly rounds: number;
}

/** One run of each sender per round, after a round that is thrown away: the code gets hot, sessions and connections made. */
export async function runInTurn(
  client: Child,
  senders: readonly Sender[],
  { streams, plan, rounds }: RunPlan,
): Promise<Runs> {
  const runs = new Map<string, Run[]>(senders.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round += 1) {
    for (const sender of senders) {
      const run = await runOnce(client, sender, streams, plan);
      if (round >= 0) runs.get(sender.name)?.push(run);
    }
  }
  return runs;
}

async function runOnce(
  client: Child,
  { server, url, kind, session }: Sender,
  streams: number,
  plan: Plan,
): Promise<Run> {
  const sessions = Array.from({ length: streams }, (_, index) => session(index));
  const before = await server.call('cpuUs', null, z.number());
  const result = await client.call('run', { url, kind, sessions, plan }, runResultSchema);
  const after = await server.call('cpuUs', null, z.number());
  return { ...result, cpuUs: (after - before) / (plan.count * streams) };
}

/** `ours` beside every other sender. */
export function compareRuns(
  what: string,
  unit: Comparison['unit'],
  { runs, ours }: { readonly runs: Runs; readonly ours: string },
  figure: (run: Run) => number,
): Comparison[] {
  const own = runs.get(ours) ?? [];
  return [...runs]
    .filter(([name]) => name !== ours)
    .map(([name, others]) => ({
      what,
      unit,
      base: { name, samples: others.map(figure) },
      ours: own.map(figure),
    }));
}
