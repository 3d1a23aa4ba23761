import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

import type { Calm } from '../calm.ts';
import { startChild, type Child } from '../child.ts';
import type { BareSetup } from '../latency/bare-agent.ts';
import type { SuiteOptions } from '../suite.ts';

/** Any key will do for the simulator. */
const API_KEY = 'bench';

/** What the parts of a suite are measured with. */
export interface Stand extends SuiteOptions {
  readonly simulatorUrl: string;
  readonly calm: Calm;
}

/** A server of its own for one part. */
interface ServerUnderTest {
  readonly server: Child;
  readonly url: string;
}

interface ServerStart {
  /** Settings, as the command line takes them. */
  readonly flags: Readonly<Record<string, string>>;
  readonly agents?: 'claude-code' | 'scripted' | 'deltas';
  /** What scripted agents say to each prompt; by default they echo. */
  readonly answer?: { readonly pieces: number; readonly charsPerPiece: number };
}

/** Starts a server in a process of its own, with a data folder of that name, and ends it after `use`. */
export async function withServer<T>(
  { folder, environment, simulatorUrl }: Stand,
  name: string,
  start: ServerStart,
  use: (running: ServerUnderTest) => Promise<T>,
): Promise<T> {
  const server = startChild(new URL('../latency/server-process.ts', import.meta.url), {
    environment,
    errorFile: join(folder, `${name}.log`),
    nodeArguments: ['--expose-gc'],
  });
  try {
    const dataDir = join(folder, name);
    const argument = { dataDir, simulatorUrl, apiKey: API_KEY, ...start };
    return await use({ server, url: await server.call('start', argument, z.string()) });
  } finally {
    await server.end();
  }
}

/** The bare SDK beside it, with processes below a folder of that name. */
export function bareSetup({ folder, simulatorUrl }: Stand, name: string): BareSetup {
  const own = join(folder, name);
  mkdirSync(own);
  return {
    folder: own,
    credentials: { ANTHROPIC_BASE_URL: simulatorUrl, ANTHROPIC_API_KEY: API_KEY },
  };
}

/** Numbers from 0 to `count - 1`. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** A line that shows that a long measurement goes on. */
export function progress(text: string): void {
  console.log(`capacity: ${text}`);
}
