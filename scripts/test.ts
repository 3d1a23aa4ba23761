/**
 * `npm test`: every gate, then every test, in an environment made from nothing. `npm test -- seed` runs the test files
 * whose paths contain `seed` and lists each title; flags of vitest may follow (`npm test -- pool -t evict`).
 * The last line is `N passed, N failed`; a gate that fails counts as one.
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

import { ROOT } from './read-sources.ts';
import { runCommand } from './run-command.ts';
import { countTests, NO_TESTS, summaryLine } from './test-counts.ts';

/** In this order: what is quick and says most comes first. All run, also after one has failed. */
const GATES: readonly (readonly [name: string, file: string, ...args: readonly string[]])[] = [
  ['typecheck', 'tsc', '-p', 'tsconfig.json'],
  ['lint', 'oxlint', '--type-aware'],
  ['format', 'oxfmt', '--check'],
  ['layers', process.execPath, 'scripts/check-layers.ts'],
  ['openapi', process.execPath, 'scripts/openapi.ts', '--lint'],
];
/** Nothing hangs for longer: a run that ends says what it has, one that is killed from outside says nothing. */
const GATE_LIMIT_MS = 3 * 60_000;
const TESTS_LIMIT_MS = 13 * 60_000;

const filters = process.argv.slice(2);
const folder = await mkdtemp(join(tmpdir(), 'roundhouse-test-'));
let exitCode = 1;
try {
  exitCode = await run();
} finally {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}
process.exitCode = exitCode;

async function run(): Promise<number> {
  const env = await makeEnvironment();
  const report: string[] = [];
  let failedGates = 0;
  for (const [name, file, ...args] of filters.length === 0 ? GATES : []) {
    console.log(`\n--- ${name}: ${[file, ...args].join(' ')}`);
    const outcome = await runCommand(file, args, { env, cwd: ROOT, limitMs: GATE_LIMIT_MS });
    if (outcome.problem !== undefined) failedGates += 1;
    report.push(line(name, outcome));
    if (outcome.stopped) return stoppedEarly();
  }

  console.log('\n--- tests');
  const reportFile = join(folder, 'report.json');
  const reporter = filters.length === 0 ? 'default' : 'verbose';
  const outcome = await runCommand(
    'vitest',
    [
      'run',
      `--reporter=${reporter}`,
      '--reporter=./scripts/skip-reporter.ts',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...filters,
    ],
    { env, cwd: ROOT, limitMs: TESTS_LIMIT_MS },
  );
  report.push(line('tests', outcome));
  if (outcome.stopped) return stoppedEarly();
  const written = await readFile(reportFile, 'utf8').catch(() => undefined);
  const counts = written === undefined ? NO_TESTS : countTests(written);

  console.log(`\n${report.join('\n')}\n`);
  for (const name of counts.failures) console.log(`failed: ${name.replace(ROOT, '')}`);
  // An error outside of any test, files that could not be read, or no test at all: still a failure, if nothing else says so.
  const unexplained = counts.failed === 0 && (outcome.problem !== undefined || counts.passed === 0);
  if (unexplained) console.log(`failed: the test run (${outcome.problem ?? 'no test ran'})`);
  const failed = counts.failed + failedGates + (unexplained ? 1 : 0);
  console.log(summaryLine({ ...counts, failed }));
  return failed === 0 ? 0 : 1;
}

/** Not all has run, so it can't count as a success. */
function stoppedEarly(): number {
  console.log('\nfailed: stopped by a signal');
  console.log(summaryLine({ ...NO_TESTS, failed: 1 }));
  return 1;
}

/** Nothing of the developer's machine reaches a test: no credential, no proxy, no configuration. */
async function makeEnvironment(): Promise<Record<string, string>> {
  const home = join(folder, 'home');
  const temporary = join(folder, 'tmp');
  await Promise.all([mkdir(home), mkdir(temporary)]);
  const path = [join(ROOT, 'node_modules', '.bin'), process.env['PATH'] ?? '/usr/bin:/bin'];
  return {
    PATH: path.join(delimiter),
    HOME: home,
    TMPDIR: temporary,
    LANG: 'C.UTF-8',
    TERM: process.env['TERM'] ?? 'dumb',
    CI: '1',
  };
}

function line(name: string, { problem, ms }: { problem: string | undefined; ms: number }): string {
  return `${name.padEnd(10)} ${(ms / 1000).toFixed(1).padStart(6)} s  ${problem === undefined ? 'ok' : `FAILED (${problem})`}`;
}
