import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { every, sleep } from '../src/time/timers.ts';
import { checkProcesses } from './checks/live.ts';
import { availableFaults, type FaultContext } from './faults.ts';
import { finish, type Logs } from './finish.ts';
import { Ledger } from './ledger.ts';
import { Load } from './load.ts';
import { lookAtProcesses } from './processes.ts';
import { Random } from './random.ts';
import { runReader } from './readers.ts';
import { formatProgress, formatReport } from './report.ts';
import { World } from './world.ts';

const LOOK_EVERY_MS = 150;
const PROGRESS_EVERY_MS = 5_000;
const MIN_FAULT_GAP_MS = 100;
const MAX_FAULT_GAP_MS = 1_900;

export interface ChaosOptions {
  /** How long prompts and faults go on; coming to rest and the last checks need about a minute more. */
  readonly minutes: number;
  readonly seed: number;
  /** Slots of the server. */
  readonly maxProcesses: number;
  /** Users, each with a session; more than there are slots. */
  readonly sessions: number;
  /** Whether to fill a disk, where that can be done without harm. */
  readonly ownDisk: boolean;
  /** Whether the server's log outlives a run without violations, too. */
  readonly keepLog: boolean;
  readonly print: (text: string) => void;
  /** Ends the run early, without the last checks. */
  readonly signal?: AbortSignal;
}

export interface ChaosResult {
  readonly violations: number;
  readonly prompts: number;
  readonly faults: number;
  readonly aborted: boolean;
}

/** Runs the server, its agents, a load and faults on them; checks the invariants; leaves nothing. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { seed, maxProcesses, sessions, print, signal } = options;
  const ledger = new Ledger(({ invariant, what, atSeconds }) =>
    print(`VIOLATION ${invariant} at ${atSeconds.toFixed(1)} s (seed ${seed}): ${what}`),
  );
  const maxResidents = Math.max(maxProcesses + 2, Math.ceil(sessions * 0.75));
  const world = await World.start({ maxProcesses, maxResidents, ownDisk: options.ownDisk, ledger });
  const onExit = (): void => world.destroy();
  process.once('exit', onExit);
  let running: Load | undefined;
  const progress = every(PROGRESS_EVERY_MS, () =>
    print(formatProgress(ledger, running?.running.size ?? 0, world.starts)),
  );
  const looks = watchProcesses(world, ledger, maxProcesses);
  try {
    const stop = AbortSignal.any([endAfter(options.minutes), ...(signal ? [signal] : [])]);
    const load = new Load({ world, ledger, random: new Random(seed), sessions, signal: stop });
    running = load;
    await makeTrouble(options, world, ledger, load, stop);
    const aborted = signal?.aborted === true;
    const checked = !aborted && !world.failed;
    if (checked) print('The trouble is over; the last checks.');
    const logs: Logs = checked
      ? await finish({ world, ledger, sessions: load.sessions, atOnce: maxProcesses })
      : new Map();
    print(`\n${formatReport({ ...options, ledger, logs, checked, serverStarts: world.starts })}`);
    if (ledger.violations.length > 0 || options.keepLog)
      print(`\nEvidence: ${keepEvidence(world, ledger, seed)}`);
    return {
      violations: ledger.violations.length,
      prompts: ledger.prompts.length,
      faults: ledger.faultCount,
      aborted,
    };
  } finally {
    looks.cancel();
    progress.cancel();
    await world.remove();
    process.off('exit', onExit);
  }
}

/** Prompts, readers and faults, until the signal aborts and everybody has come to an end. */
async function makeTrouble(
  { seed, sessions }: ChaosOptions,
  world: World,
  ledger: Ledger,
  load: Load,
  signal: AbortSignal,
): Promise<void> {
  const random = new Random(seed);
  const readers = Array.from({ length: Math.ceil(sessions / 2) }, (_, index) =>
    runReader({
      world,
      ledger,
      random: random.fork(`reader ${index}`),
      sessions: () => load.sessions,
      signal,
    }),
  );
  const background = new Set<Promise<void>>();
  const later = (work: Promise<void>): void => {
    background.add(work);
    void work.finally(() => background.delete(work));
  };
  const context = { world, ledger, load, random: random.fork('targets'), later };
  await Promise.all([makeFaults(context, random.fork('faults'), signal), load.run(), ...readers]);
  while (background.size > 0) await Promise.all(background);
}

async function makeFaults(
  context: FaultContext,
  random: Random,
  signal: AbortSignal,
): Promise<void> {
  const { world, ledger } = context;
  const kinds = availableFaults(world, ledger);
  while (!signal.aborted && !world.failed) {
    const gapMs = random.int(MIN_FAULT_GAP_MS, MAX_FAULT_GAP_MS);
    await sleep(gapMs, signal, { keepAlive: true }).catch(() => {});
    const kind = random.weighted(kinds);
    if (signal.aborted) return;
    // A server that does not come back has been noted by the world; the run ends.
    const happened = await Promise.resolve(kind.run(context)).catch((error: unknown) => {
      if (!world.failed) throw error;
      return false;
    });
    if (happened) ledger.countFault(kind.name);
  }
}

/** I1 and I2, several times a second. What is still so at a second look, at once, is no trick of the moment. */
function watchProcesses(world: World, ledger: Ledger, slots: number): { cancel: () => void } {
  const known = new Map<string, string>();
  const look = () => checkProcesses(lookAtProcesses(world.root, world.dataDir, known), slots);
  return every(LOOK_EVERY_MS, () => {
    if (look().length > 0) ledger.violation(...look());
  });
}

function endAfter(minutes: number): AbortSignal {
  const controller = new AbortController();
  void sleep(minutes * 60_000).then(() => controller.abort());
  return controller.signal;
}

/** The server's log and its database survive the run when something was wrong. */
function keepEvidence({ root, dataDir }: World, ledger: Ledger, seed: number): string {
  const folder = join(tmpdir(), `roundhouse-chaos-${seed}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'faults.log'), `${ledger.faultTimes.join('\n')}\n`);
  // The database is closed here: there is no journal beside it, unless the server died.
  for (const path of [join(root, 'server.log'), join(dataDir, 'roundhouse.db')])
    if (existsSync(path)) cpSync(path, join(folder, basename(path)));
  return folder;
}
