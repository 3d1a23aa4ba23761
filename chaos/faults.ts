import { z } from 'zod';

import { sleep } from '../src/time/timers.ts';
import { processesOf } from '../test/support/leftovers.ts';
import { canLimitFiles, fillDisk, limitFiles } from './disk.ts';
import type { Ledger, SessionEntry } from './ledger.ts';
import type { Load } from './load.ts';
import { agentsOnRecord, lookAtProcesses, sendSignal } from './processes.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

const MAX_CLOCK_JUMP_MS = 3 * 3_600_000;

/** What a fault acts on. */
export interface FaultContext {
  readonly world: World;
  readonly ledger: Ledger;
  readonly load: Load;
  readonly random: Random;
  /** Runs the rest of a fault beside the next ones; it is waited for at the end of the run. */
  readonly later: (work: Promise<void>) => void;
}

/** A kind of fault. */
export interface FaultKind {
  readonly name: string;
  readonly weight: number;
  /** Does it. False when there was nothing to do it to; then it does not count. */
  readonly run: (context: FaultContext) => boolean | Promise<boolean>;
}

const FAULT_KINDS: readonly FaultKind[] = [
  { name: 'agent: kill -9, in a turn', weight: 8, run: (c) => signalAgent(c, 'busy', 'SIGKILL') },
  { name: 'agent: kill -9, idle', weight: 5, run: (c) => signalAgent(c, 'idle', 'SIGKILL') },
  { name: 'agent: SIGTERM', weight: 5, run: (c) => signalAgent(c, 'any', 'SIGTERM') },
  { name: 'agent: SIGINT', weight: 2, run: (c) => signalAgent(c, 'any', 'SIGINT') },
  { name: 'agent: stopped for good', weight: 3, run: (c) => signalAgent(c, 'any', 'SIGSTOP') },
  { name: 'agent: stopped for a while', weight: 5, run: pauseAgent },
  { name: 'server: kill -9', weight: 3, run: killServer },
  { name: 'server: SIGTERM and restart', weight: 2, run: drainServer },
  { name: 'server: stopped for a while', weight: 2, run: pauseServer },
  { name: 'client: made to leave', weight: 6, run: leaveAnswer },
  { name: 'client: interrupts', weight: 9, run: interrupt },
  { name: 'client: deletes a session', weight: 1, run: deleteSession },
  { name: 'client: burst of prompts', weight: 4, run: burst },
  { name: 'disk: slow', weight: 2, run: slowDisk },
  { name: 'clock: jumps', weight: 2, run: jumpClock },
];

const FULL_DISK: FaultKind = { name: 'disk: full', weight: 2, run: fullDisk };
const REFUSING_DISK: FaultKind = { name: 'disk: refuses writes', weight: 2, run: refuseWrites };

/** The faults that can be made here; those that can't be are noted with the reason. */
export function availableFaults(world: World, ledger: Ledger): FaultKind[] {
  const limits = canLimitFiles();
  if (world.noDisk !== undefined) ledger.skipped.set(FULL_DISK.name, world.noDisk);
  if (!limits) ledger.skipped.set(REFUSING_DISK.name, "util-linux's prlimit is not there");
  return [
    ...FAULT_KINDS,
    ...(world.noDisk === undefined ? [FULL_DISK] : []),
    ...(limits ? [REFUSING_DISK] : []),
  ];
}

const infoSchema = z.object({ clientId: z.string().nullable() });

/** The pid of the agent of a session that has, or has not, a prompt running. */
async function findAgent(
  { world, load, random }: FaultContext,
  which: 'busy' | 'idle' | 'any',
): Promise<number | undefined> {
  const agents = agentsOnRecord(world.dataDir);
  if (which === 'any') return random.pick(agents)?.pid;
  const busy = new Set([...load.running].map(({ session }) => session));
  const sessions = load.sessions.filter((each) => busy.has(each) === (which === 'busy'));
  // The draw decides where the search begins; sessions without a process are passed over.
  const from = random.int(0, Math.max(0, sessions.length - 1));
  for (const session of [...sessions.slice(from), ...sessions.slice(0, from)]) {
    const clientId = await clientIdOf(world, session);
    const agent = agents.find((each) => each.clientId === clientId);
    if (agent !== undefined) return agent.pid;
  }
  return undefined;
}

async function clientIdOf(world: World, { name }: SessionEntry): Promise<string | null> {
  try {
    const response = await fetch(`${world.url}/sessions/${name}`);
    const body: unknown = await response.json();
    return infoSchema.parse(body).clientId;
  } catch {
    return null; // No such session yet, or the server is going down.
  }
}

async function signalAgent(
  context: FaultContext,
  which: 'busy' | 'idle' | 'any',
  signal: NodeJS.Signals,
): Promise<boolean> {
  const pid = await findAgent(context, which);
  return pid !== undefined && sendSignal(pid, signal);
}

async function pauseAgent(context: FaultContext): Promise<boolean> {
  const pid = await findAgent(context, 'busy');
  const pauseMs = context.random.int(300, 9_000);
  if (pid === undefined || !sendSignal(pid, 'SIGSTOP')) return false;
  context.later(
    sleep(pauseMs, undefined, { keepAlive: true }).then(() => void sendSignal(pid, 'SIGCONT')),
  );
  return true;
}

/** The crash of the host: nothing of it may live once the next one is ready. */
async function killServer({ world, ledger }: FaultContext): Promise<boolean> {
  const before = lookAtProcesses(world.root, world.dataDir, new Map()).marks;
  await world.stop('SIGKILL');
  await world.launch();
  const after = lookAtProcesses(world.root, world.dataDir, new Map()).marks;
  for (const mark of after) {
    if (!before.has(mark)) continue;
    ledger.violation({ invariant: 'I9', what: `${mark} outlived the kill and the next start` });
  }
  return true;
}

async function drainServer({ world, ledger, random }: FaultContext): Promise<boolean> {
  const impatient = random.chance(0.3);
  const patienceMs = random.int(0, 2_000);
  world.announceStop();
  const ended = world.stop('SIGTERM');
  if (impatient) {
    ledger.countFault('server: second SIGTERM');
    await sleep(patienceMs, undefined, { keepAlive: true });
    world.signal('SIGTERM');
  }
  const { code, signal } = await ended;
  // A second signal that came after the end of the drain changes nothing.
  if (code !== 0 && !(impatient && code === 1))
    ledger.violation({ invariant: 'alive', what: `a drained server ended with ${signal ?? code}` });
  world.checkNothingLeft('after a drain', false);
  await world.launch();
  return true;
}

/** What a suspended machine looks like to the server: all its timers are late at once. */
async function pauseServer({ world, random }: FaultContext): Promise<boolean> {
  const pauseMs = random.int(200, 4_000);
  world.signal('SIGSTOP');
  await sleep(pauseMs, undefined, { keepAlive: true });
  world.signal('SIGCONT');
  return true;
}

async function fullDisk({ world, random, later }: FaultContext): Promise<boolean> {
  const fullMs = random.int(100, 2_500);
  const free = fillDisk(world.dataDir);
  // Whatever the fault loop comes to, there is room again.
  later(sleep(fullMs + 1_000, undefined, { keepAlive: true }).then(free));
  await sleep(fullMs, undefined, { keepAlive: true });
  free();
  return true;
}

/** Every write of the server to a file fails for a while, as on a disk that is failing. */
async function refuseWrites({ world, random }: FaultContext): Promise<boolean> {
  const refuseMs = random.int(50, 2_000);
  const { pid } = world;
  if (pid === undefined || !limitFiles(pid, '0')) return false;
  await sleep(refuseMs, undefined, { keepAlive: true });
  limitFiles(pid, 'unlimited');
  // Agents that were started meanwhile have inherited it.
  for (const agent of processesOf(world.root)) limitFiles(agent.pid, 'unlimited');
  return true;
}

/** Each commit of the database, and each file of the server, takes long for a while. */
async function slowDisk({ world, random }: FaultContext): Promise<boolean> {
  const slowDiskMs = random.int(50, 1_500);
  const forMs = random.int(1_000, 6_000);
  await world.suffer({ slowDiskMs });
  await sleep(forMs, undefined, { keepAlive: true });
  await world.suffer({ slowDiskMs: 0 });
  return true;
}

/** Somebody sets the machine's clock, forwards or back by up to some hours, or right again. It stays so. */
async function jumpClock({ world, random }: FaultContext): Promise<boolean> {
  const farMs = random.int(30_000, MAX_CLOCK_JUMP_MS);
  const right = random.chance(0.25);
  const back = random.chance(0.5);
  await world.suffer({ clockOffsetMs: right ? 0 : back ? -farMs : farMs });
  return true;
}

/** The load counts it, with those who leave by themselves. */
function leaveAnswer({ load, random }: FaultContext): boolean {
  random.pick([...load.running])?.leave();
  return false;
}

async function interrupt({ world, load, random, later }: FaultContext): Promise<boolean> {
  const prompt = random.pick([...load.running]);
  if (prompt === undefined) return false;
  const url = `${world.url}/sessions/${prompt.session.name}/interrupt`;
  // It answers when the turn has ended, which may take a while; a server that goes down answers never.
  later(
    fetch(url, { method: 'POST' })
      .then((response) => response.text())
      .then(
        () => {},
        () => {},
      ),
  );
  return true;
}

/** Deletes a session at any moment; its user goes on with another one. */
function deleteSession({ world, load, random, later }: FaultContext): boolean {
  const session = load.retire(random.int(0, load.sessions.length - 1));
  if (session === undefined) return false;
  later(untilDeleted(world, session, load));
  return true;
}

/**
 * Prompts that were under way may make the session again behind the first deletion, and a server may die before it answers:
 * so once more when they have ended, until the answer says that it is gone.
 */
async function untilDeleted(world: World, session: SessionEntry, load: Load): Promise<void> {
  await removeSession(world, session);
  const underWay = [...load.running].filter((prompt) => prompt.session === session);
  await Promise.all(underWay.map(({ ended }) => ended));
  while (!world.failed && !(await removeSession(world, session)))
    await sleep(200, undefined, { keepAlive: true });
}

/** Asks for a deletion. True when the answer says that the session is gone. */
export async function removeSession(world: World, { name }: SessionEntry): Promise<boolean> {
  await world.untilUp();
  try {
    const response = await fetch(`${world.url}/sessions/${name}`, { method: 'DELETE' });
    await response.text();
    return response.ok || response.status === 404;
  } catch {
    return false; // The server went down: once more.
  }
}

function burst({ load, random, later }: FaultContext): boolean {
  later(load.burst(random.int(3, 8)));
  return true;
}
