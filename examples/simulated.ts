import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startSimulator } from '../src/simulator/simulator.ts'; // in a project of yours: 'roundhouse/simulator'

/** What an example runs on. */
export interface Surroundings {
  /** An empty folder that goes away afterwards. Yours would stay. */
  readonly dataDir: string;
  /** Reaches the simulator. With a key of yours: `{ ANTHROPIC_API_KEY: process.env.ANTHROPIC_API_KEY }`. */
  readonly credentials: Readonly<Record<string, string>>;
}

/**
 * Runs an example without an account: the simulator answers by rule, Claude Code itself is real. Everything is gone
 * afterwards, also when the example fails.
 */
export async function withSimulator(example: (on: Surroundings) => Promise<void>): Promise<void> {
  const simulator = await startSimulator({ tokenDelayMs: 20 });
  const dataDir = await mkdtemp(join(tmpdir(), 'roundhouse-example-'));
  console.log(`The embedded simulator answers, no model: ${simulator.url}`);
  try {
    const credentials = { ANTHROPIC_BASE_URL: simulator.url, ANTHROPIC_API_KEY: 'simulator' };
    await example({ dataDir, credentials });
    console.log('\nDone.');
  } finally {
    await simulator.close();
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** Ends the example with an error when an answer is not what it must be. */
export function mustContain(answer: string, text: string): void {
  assert.ok(answer.includes(text), `Expected ${JSON.stringify(text)} in ${JSON.stringify(answer)}`);
}
