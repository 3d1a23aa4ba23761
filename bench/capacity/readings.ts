import { z } from 'zod';

import type { Child } from '../child.ts';

const memorySchema = z.object({ rssBytes: z.number(), usedBytes: z.number() });
const populationSchema = z.object({ residentSessions: z.number(), processes: z.number() });

/** What a server process holds, after it has collected its garbage. */
export function readMemory(server: Child): Promise<z.output<typeof memorySchema>> {
  return server.call('memory', null, memorySchema);
}

/** The same when it has been at rest for a while, and has given back what it does not use. */
export function readResting(server: Child): Promise<z.output<typeof memorySchema>> {
  return server.call('restingMemory', null, memorySchema);
}

/** How many sessions a server has in memory, and how many processes. */
export function readPopulation(server: Child): Promise<z.output<typeof populationSchema>> {
  return server.call('population', null, populationSchema);
}
