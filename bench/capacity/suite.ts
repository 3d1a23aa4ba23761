import { z } from 'zod';

import { measureBursts } from './burst.ts';
import { measureHost } from './host-memory.ts';
import { measureProcesses } from './process-memory.ts';
import { measureStalledReaders } from './stalled-readers.ts';
import type { Stand } from './stand.ts';
import { measureStarts } from './starts.ts';
import { Calm } from '../calm.ts';
import { startChild } from '../child.ts';
import type { Comparison } from '../comparison.ts';
import { serveSuite, type SuiteOptions } from '../suite.ts';

/** How long all waits for a calm machine together may take. */
const PATIENCE_MS = 30_000;

serveSuite(runCapacity);

/** What a machine holds: bursts of new sessions, starts, memory of processes, of the server and of readers that stall. */
async function runCapacity(options: SuiteOptions): Promise<Comparison[]> {
  const { environment, quick } = options;
  const simulator = startChild(new URL('../latency/simulator-process.ts', import.meta.url), {
    environment,
  });
  try {
    const simulatorUrl = await simulator.call('start', null, z.string());
    const stand: Stand = { ...options, simulatorUrl, calm: new Calm(quick ? 0 : PATIENCE_MS) };
    return [
      ...(await measureBursts(stand)),
      ...(await measureStarts(stand)),
      ...(await measureProcesses(stand)),
      ...(await measureHost(stand)),
      ...(await measureStalledReaders(stand)),
    ];
  } finally {
    await simulator.end();
  }
}
