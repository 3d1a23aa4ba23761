import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { describeMachine } from '../../bench/machine.ts';
import { hashKey } from '../../src/http/auth.ts';
import { monotonicMs } from '../../src/time/clock.ts';
import { every } from '../../src/time/timers.ts';
import { checkProcesses } from '../checks/live.ts';
import { checkLogs, checkWorkspaces, stopInOrder, type Logs } from '../finish.ts';
import { Ledger } from '../ledger.ts';
import { lookAtProcesses } from '../processes.ts';
import { Random } from '../random.ts';
import { readLog, type LogRecord } from '../records.ts';
import { World } from '../world.ts';
import { checkAnswers, checkAskedOnce, checkTurns } from './checks.ts';
import { CrowdLoad } from './load.ts';
import { ServerMetrics } from './metrics.ts';
import { CrowdPlan, type CrowdKey } from './plan.ts';
import { AGENT_DIED, evictions, formatCrowdProgress, formatCrowdReport } from './report.ts';
import { checkOrder, slotWaitOf, type SlotWait } from './slot-waits.ts';

/** Prompts at once for each process: two thirds of them wait. */
const PROMPTS_PER_PROCESS = 3;
/** The longest that can be set: whether anybody starves is told by the order, and by the limit of each answer. */
const WAIT_MS = 600_000;
const LOOK_EVERY_MS = 250;
const PROGRESS_EVERY_MS = 5_000;

export interface CrowdOptions {
  readonly prompts: number;
  /** At most as many as prompts. */
  readonly sessions: number;
  /** Slots of the server. */
  readonly processes: number;
  readonly seed: number;
  readonly print: (text: string) => void;
  /** Ends the run early, without the checks. */
  readonly signal?: AbortSignal;
}

export interface CrowdResult {
  readonly violations: number;
  readonly answered: number;
  readonly evictions: number;
  readonly longestWaitMs: number;
  readonly aborted: boolean;
}

/** Everything that a run collects. */
interface Run {
  readonly world: World;
  readonly ledger: Ledger;
  readonly plan: CrowdPlan;
  readonly load: CrowdLoad;
  readonly waits: readonly SlotWait[];
}

/**
 * Prompts many sessions through few processes, over HTTP and under several keys, so that nearly every prompt finds its
 * process taken. Holds every answer and every log against what was asked; leaves nothing.
 */
export async function runCrowd(options: CrowdOptions): Promise<CrowdResult> {
  const { prompts, sessions, processes, seed, print } = options;
  const signal = options.signal ?? new AbortController().signal;
  const ledger = new Ledger(({ invariant, what, atSeconds }) =>
    print(`VIOLATION ${invariant} at ${atSeconds.toFixed(1)} s (seed ${seed}): ${what}`),
  );
  const plan = new CrowdPlan({ ledger, random: new Random(seed), prompts, sessions });
  const waits: SlotWait[] = [];
  const atOnce = processes * PROMPTS_PER_PROCESS;
  const machine = describeMachine();
  const world = await World.start({
    maxProcesses: processes,
    // Some sessions leave memory, too.
    maxResidents: Math.max(atOnce, Math.ceil(sessions * 0.75)),
    ownDisk: false,
    ledger,
    settings: settingsFor(plan.keys),
    onLogLine: (line) => {
      const wait = slotWaitOf(line);
      if (wait !== undefined) waits.push(wait);
      if (line.includes(`"event":"${AGENT_DIED}"`)) ledger.note(AGENT_DIED);
    },
  });
  const onExit = (): void => world.destroy();
  process.once('exit', onExit);
  const load = new CrowdLoad({ world, ledger, plan, atOnce, signal });
  const progress = every(PROGRESS_EVERY_MS, () =>
    print(formatCrowdProgress(ledger, load.turns, waits)),
  );
  const watch = watchProcesses(world, ledger, processes);
  try {
    const beganMs = monotonicMs();
    await load.run();
    const totalSeconds = (monotonicMs() - beganMs) / 1000;
    const answered = load.turns.filter(({ entry }) => entry.outcome === 'complete').length;
    const longestWaitMs = Math.max(0, ...waits.map(({ waitMs }) => waitMs));
    const result = { answered, longestWaitMs, aborted: signal.aborted };
    if (signal.aborted || world.failed)
      return { ...result, violations: ledger.violations.length, evictions: 0 };
    const metrics = await ServerMetrics.read(world.url, plan.keys[0]?.key ?? '');
    const logs = await finish({ world, ledger, plan, load, waits });
    const fairness = checkOrder(waits);
    ledger.violation(...fairness.findings);
    const facts = { ...options, ledger, plan, waits, logs, metrics, machine, fairness, atOnce };
    const seen = { totalSeconds, turns: load.turns, loadAtEnd: loadavg(), ...watch.seen() };
    print(`\n${formatCrowdReport({ ...facts, ...seen })}`);
    if (ledger.violations.length > 0) print(`\nEvidence: ${keepEvidence(world, seed)}`);
    return { ...result, violations: ledger.violations.length, evictions: evictions(metrics) };
  } finally {
    progress.cancel();
    watch.cancel();
    await world.remove();
    process.off('exit', onExit);
  }
}

/** The server's own defaults but for these: what a run shows is what an operator has. */
function settingsFor(keys: readonly CrowdKey[]): Record<string, string> {
  return {
    // Slots that are given are told at this level.
    ROUNDHOUSE_LOG_LEVEL: 'debug',
    ROUNDHOUSE_POOL_WAIT_MS: String(WAIT_MS),
    ROUNDHOUSE_SERVER_KEYS: JSON.stringify(keys.map(({ id, key }) => ({ id, hash: hashKey(key) }))),
  };
}

/** Holds everything against everything; the server is down afterwards. Returns the logs of the sessions. */
async function finish({ world, ledger, plan }: Run): Promise<Logs> {
  const logs = new Map<string, readonly LogRecord[]>();
  for (const { entry, owner } of plan.sessions) {
    const records = (await readLog(world.url, entry.name, owner.key)) ?? [];
    logs.set(entry.name, records);
    ledger.violation(...checkAnswers(entry), ...checkTurns(entry, records));
  }
  await stopInOrder(world, ledger, 'at the end');
  checkWorkspaces(world, ledger, logs);
  const sessions = plan.sessions.map(({ entry }) => entry);
  checkLogs(ledger, sessions, logs);
  ledger.violation(...checkAskedOnce(sessions, ledger.requests));
  return logs;
}

/** I1 and I2, several times a second. What is still so at a second look, at once, is no trick of the moment. */
function watchProcesses(world: World, ledger: Ledger, slots: number) {
  const known = new Map<string, string>();
  let looks = 0;
  let mostAlive = 0;
  const timer = every(LOOK_EVERY_MS, () => {
    const snapshot = lookAtProcesses(world.root, world.dataDir, known);
    looks += 1;
    mostAlive = Math.max(mostAlive, snapshot.marks.size);
    if (checkProcesses(snapshot, slots).length === 0) return;
    ledger.violation(...checkProcesses(lookAtProcesses(world.root, world.dataDir, known), slots));
  });
  return { cancel: () => timer.cancel(), seen: () => ({ looks, mostAlive }) };
}

/** The server's log and its database survive the run when something was wrong. */
function keepEvidence({ root, dataDir }: World, seed: number): string {
  const folder = join(tmpdir(), `roundhouse-crowd-${seed}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  for (const path of [join(root, 'server.log'), join(dataDir, 'roundhouse.db')])
    if (existsSync(path)) cpSync(path, join(folder, basename(path)));
  return folder;
}
