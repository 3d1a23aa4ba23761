import { vi } from 'vitest';
import type { ScriptedProcess } from '../../src/agent/scripted/scripted-process.ts';

/** More than anybody has reason for. */
const MOST_WAITS = 100;

/**
 * Lets whoever waits for the end of a process again and again fail. Waits for an end that is over never let the event loop
 * turn, so no timeout of the test would come.
 */
export function failWhereItSpins(process: ScriptedProcess | undefined): void {
  if (process === undefined) throw new Error('There is no process.');
  const { exited } = process;
  let waits = 0;
  vi.spyOn(process, 'exited', 'get').mockImplementation(() => {
    waits += 1;
    if (waits > MOST_WAITS) throw new Error('Its end is waited for again and again.');
    return exited;
  });
}
