import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { monotonicMs } from '../src/time/clock.ts';
import { sleep } from '../src/time/timers.ts';
import { checkHistory, checkUpstream } from './checks/history.ts';
import { checkAcknowledged, checkLog, turnsOf } from './checks/log.ts';
import { removeSession } from './faults.ts';
import type { Ledger, SessionEntry } from './ledger.ts';
import { sendPrompt } from './prompt.ts';
import { endWord, readLog, type LogRecord } from './records.ts';
import type { World } from './world.ts';

const QUIET_LIMIT_MS = 120_000;
/** A session may still hold a process that was stopped for good: its first prompt finds that out, the next one works. */
const FAREWELL_ATTEMPTS = 4;

/** Nothing is wrong with the upstream any more: who waits for it long waits for a machine that is busy. */
const FAREWELL_LIMITS = { firstTokenMs: 60_000, silenceMs: 60_000, turnMs: 120_000 };

export interface FinishParts {
  readonly world: World;
  readonly ledger: Ledger;
  readonly sessions: readonly SessionEntry[];
  /** Farewells at once. */
  readonly atOnce: number;
}

/** Logs of the sessions that were to live, by name. */
export type Logs = ReadonlyMap<string, readonly LogRecord[]>;

/**
 * The end of a run, when nobody prompts any more: every session comes to rest and answers once more, the server stops in
 * good order and leaves nothing, and what the next one reads from the store is held against all that was seen.
 */
export async function finish(parts: FinishParts): Promise<Logs> {
  const { world, ledger } = parts;
  await world.untilUp();
  await world.suffer({ slowDiskMs: 0 });
  await untilQuiet(parts);
  await farewell(parts);
  const retired = [...ledger.sessions.values()].filter((session) => session.retired);
  for (const session of retired) await removeSession(world, session);
  await stopInOrder(world, ledger, 'at the end');
  await world.launch();
  const logs = await readLogs(parts);
  await checkDeletions(world, ledger, retired);
  await stopInOrder(world, ledger, 'after the last restart');
  checkWorkspaces(world, ledger, logs);
  checkLogs(ledger, parts.sessions, logs);
  return logs;
}

/** A turn that was accepted is never forgotten: it ends, whoever still waits for it. */
async function untilQuiet({ world, ledger, sessions }: FinishParts): Promise<void> {
  const sinceMs = monotonicMs();
  for (const { name } of sessions) {
    for (;;) {
      const records = (await readLog(world.url, name)) ?? [];
      const open =
        records.filter(({ type }) => type === 'user.message').length - countEnds(records);
      if (open === 0) break;
      if (monotonicMs() - sinceMs > QUIET_LIMIT_MS) {
        ledger.violation({ invariant: 'I7', what: `${name} has ${open} turns that do not end` });
        break;
      }
      await sleep(250, undefined, { keepAlive: true });
    }
  }
}

function countEnds(records: readonly LogRecord[]): number {
  return records.filter((record) => endWord(record) !== undefined).length;
}

/** Every session still answers, with its whole history. */
async function farewell({ world, ledger, sessions, atOnce }: FinishParts): Promise<void> {
  const waiting = sessions.filter(({ prompts }) => prompts.length > 0);
  const worker = async (): Promise<void> => {
    for (let session = waiting.shift(); session !== undefined; session = waiting.shift())
      await sayFarewell(world, ledger, session);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

async function sayFarewell(world: World, ledger: Ledger, session: SessionEntry): Promise<void> {
  for (let attempt = 1; attempt <= FAREWELL_ATTEMPTS; attempt += 1) {
    const entry = ledger.openPrompt(session, '');
    await sendPrompt({ world, ledger, session, entry, limits: FAREWELL_LIMITS }).ended;
    if (entry.outcome === 'complete') return;
  }
  const what = `${session.name} does not answer any more, in ${FAREWELL_ATTEMPTS} attempts`;
  ledger.violation({ invariant: 'alive', what });
}

/** SIGTERM, a clean end, and nothing left of processes and folders. */
export async function stopInOrder(world: World, ledger: Ledger, when: string): Promise<void> {
  const { code, signal } = await world.stop('SIGTERM');
  if (code !== 0)
    ledger.violation({
      invariant: 'alive',
      what: `the server ended with ${signal ?? code} ${when}`,
    });
  world.checkNothingLeft(when, true);
}

async function readLogs({ world, sessions }: FinishParts): Promise<Logs> {
  const logs = new Map<string, readonly LogRecord[]>();
  for (const { name } of sessions) {
    const records = await readLog(world.url, name);
    if (records !== undefined) logs.set(name, records);
  }
  return logs;
}

/** What was deleted stays away. */
async function checkDeletions(
  { url }: World,
  ledger: Ledger,
  retired: readonly SessionEntry[],
): Promise<void> {
  for (const { name } of retired) {
    if ((await readLog(url, name)) === undefined) continue;
    ledger.violation({ invariant: 'I10', what: `${name} is there again after its deletion` });
  }
}

/** I9: no workspace of a deleted session is left, nor one that was made for a session that never came. */
export function checkWorkspaces({ dataDir }: World, ledger: Ledger, logs: Logs): void {
  const folders = readdirSync(join(dataDir, 'workspaces')).length;
  if (folders === logs.size) return;
  ledger.violation({ invariant: 'I9', what: `${folders} workspaces for ${logs.size} sessions` });
}

/** Everything that logs can be held against: the whole of a run. */
export function checkLogs(ledger: Ledger, sessions: readonly SessionEntry[], logs: Logs): void {
  const endedAt = new Map<string, number>();
  for (const session of sessions) {
    const records = logs.get(session.name) ?? [];
    ledger.violation(
      ...checkLog(session.name, records),
      ...checkAcknowledged(session, records, ledger.askedUpstream),
      ...checkHistory(records),
    );
    for (const { promptId, ends } of turnsOf(records)) {
      const [end] = ends;
      if (promptId !== undefined && end !== undefined)
        endedAt.set(promptId, ledger.momentOf(Date.parse(end.at)));
    }
  }
  ledger.violation(...checkUpstream(ledger.requests, endedAt));
}
