import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';

import { startChild } from './child.ts';
import { toRow, type Row } from './comparison.ts';
import { describeMachine, machineLine } from './machine.ts';
import { makeScratch, type Scratch } from './scratch.ts';
import { comparisonsSchema, type SuiteOptions } from './suite.ts';
import { formatTable } from './table.ts';
import { monotonicMs, wallClockIso } from '../src/time/clock.ts';
import { sleep } from '../src/time/timers.ts';

const SUITES = ['latency', 'managed', 'sse', 'pool', 'capacity'] as const;
type SuiteName = (typeof SUITES)[number];

const USAGE = `Usage: npm run bench -- [${SUITES.join(' | ')}]… [--quick] [--json FILE]`;
/** How long processes that were told to end may take to be gone. */
const LEFTOVER_GRACE_MS = 5_000;

interface Arguments {
  readonly suites: readonly SuiteName[];
  readonly quick: boolean;
  readonly json: string | undefined;
}

// Ctrl-C reaches the whole group: the suite ends by it, and we stay to clean up behind it.
process.on('SIGINT', () => {});
process.exitCode = await main();

async function main(): Promise<number> {
  let parsed: Arguments;
  try {
    parsed = readArguments();
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
    return 2;
  }
  const { suites, quick, json } = parsed;
  const machine = describeMachine();
  const startedAt = wallClockIso();
  console.log(`${machineLine(machine)}${quick ? ' (quick: a smoke run, not figures)' : ''}`);
  const results: Record<string, Row[]> = {};
  for (const suite of suites) {
    const rows = await runSuite(suite, quick);
    if (rows === undefined) return 1;
    results[suite] = rows;
  }
  if (json !== undefined) {
    await writeFile(json, `${JSON.stringify({ startedAt, quick, machine, results }, null, 2)}\n`);
  }
  return 0;
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
  });
  const named = positionals.map((name) => {
    const suite = SUITES.find((each) => each === name);
    if (suite === undefined) throw new Error(`There is no suite ${name}.`);
    return suite;
  });
  return { suites: named.length > 0 ? named : SUITES, quick: values.quick, json: values.json };
}

/** Runs a suite and prints its table; undefined when it failed or left a process behind. */
async function runSuite(suite: SuiteName, quick: boolean): Promise<Row[] | undefined> {
  const scratch = await makeScratch();
  const beganMs = monotonicMs();
  try {
    const rows = await measured(suite, quick, scratch);
    const seconds = ((monotonicMs() - beganMs) / 1000).toFixed(0);
    console.log(`\n## ${suite} (${seconds} s)\n\n${formatTable(rows)}\n`);
    return (await nothingLeft(scratch)) ? rows : undefined;
  } catch (error) {
    console.error(`\n## ${suite} failed after ${Math.round(monotonicMs() - beganMs)} ms`, error);
    await nothingLeft(scratch);
    return undefined;
  } finally {
    await scratch.remove();
  }
}

async function measured(suite: SuiteName, quick: boolean, scratch: Scratch): Promise<Row[]> {
  const { folder, environment } = scratch;
  const child = startChild(new URL(`${suite}/suite.ts`, import.meta.url), { environment });
  try {
    const options: SuiteOptions = { quick, folder, environment: { ...environment } };
    return (await child.call('run', options, comparisonsSchema)).map(toRow);
  } finally {
    await child.end();
  }
}

/** Says whether a process of the run is still there, and ends it then. */
async function nothingLeft(scratch: Scratch): Promise<boolean> {
  const deadlineMs = monotonicMs() + LEFTOVER_GRACE_MS;
  for (;;) {
    const left = await scratch.leftovers();
    if (left === undefined) {
      console.log('Processes left behind: not checked, this system has no /proc.');
      return true;
    }
    if (left.length === 0) {
      console.log('Processes left behind: none.');
      return true;
    }
    if (monotonicMs() > deadlineMs) {
      console.error(`Processes left behind: ${left.join(', ')}; ended now.`);
      for (const pid of left) process.kill(pid, 'SIGKILL');
      return false;
    }
    await sleep(50, undefined, { keepAlive: true });
  }
}
