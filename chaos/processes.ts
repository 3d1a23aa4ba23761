import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import { processesOf } from '../test/support/leftovers.ts';
import type { ProcessSnapshot } from './checks/live.ts';

/** An agent process, as the record says that the server keeps of it. */
export interface AgentRecord {
  readonly pid: number;
  readonly clientId: string;
  /** Our id, `sesn_…`. */
  readonly sessionId: string;
}

const recordSchema = z.object({ pid: z.number(), clientId: z.string(), sessionId: z.string() });

/** The agents that the server has on record. A record that is being written is passed over. */
export function agentsOnRecord(dataDir: string): AgentRecord[] {
  return processEntries(dataDir).flatMap((name) => {
    if (!name.endsWith('.json')) return [];
    try {
      const text = readFileSync(join(dataDir, 'processes', name), 'utf8');
      return [recordSchema.parse(JSON.parse(text))];
    } catch {
      return []; // It was taken away in the meantime.
    }
  });
}

/** Names in the folder of processes: records and folders. Empty before the first start. */
export function processEntries(dataDir: string): string[] {
  try {
    return readdirSync(join(dataDir, 'processes'));
  } catch {
    return [];
  }
}

/** The agents that live, by their marks, in one tick. `known` is filled with what records tell of them. */
export function lookAtProcesses(
  root: string,
  dataDir: string,
  known: Map<string, string>,
): ProcessSnapshot {
  const marks = new Set(processesOf(root).flatMap(({ mark }) => mark ?? []));
  if ([...marks].some((mark) => !known.has(mark))) {
    for (const { clientId, sessionId } of agentsOnRecord(dataDir)) known.set(clientId, sessionId);
  }
  return { marks, sessionOfMark: known };
}

/** Sends a signal. False when the process is gone. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
