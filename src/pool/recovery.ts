import type { BrokenSessions } from './broken-sessions.ts';
import type { Residents } from './residents.ts';
import type { Undelivered, WaitingTurn } from './undelivered.ts';
import type { AgentDriver } from '../contracts/agent-driver.ts';
import type { Host, LeftFolder, SweepResult } from '../contracts/host.ts';
import type { SessionRow, SessionStore, UnfinishedTurn } from '../contracts/session-store.ts';
import { ERROR_KINDS, errorText, RoundhouseError } from '../errors.ts';
import type { EventRecord, TurnEnd } from '../events/record.ts';
import { endBy, INTERRUPTED_BY_CLIENT } from '../session/stop-cause.ts';
import { endRecords } from '../session/turn-records.ts';
import { standingOf, type TurnStanding } from '../session/turn-standing.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { wallClockIso } from '../time/clock.ts';

/** What is read of a turn in one go. */
const PAGE_RECORDS = 1_000;
const PAGE_BYTES = 4 * 1024 * 1024;

export interface RecoveryParts {
  readonly store: SessionStore;
  readonly host: Host;
  readonly driver: AgentDriver;
  /** Gets the sessions that can't be put in order now. */
  readonly broken: BrokenSessions;
  readonly residents: Residents;
  readonly owner: string;
  readonly telemetry: Telemetry;
  /** Sessions whose undelivered prompts run at the same time. */
  readonly sessionsAtOnce: number;
}

export interface RecoveryResult extends SweepResult {
  /** Turns that were running when the host died, or had been interrupted, and have been given their end. */
  readonly turnsEnded: number;
  /** Prompts that were accepted and never delivered; they run now. */
  readonly prompts: readonly UnfinishedTurn[];
  /** Turns that wait for their client, or go on with its answers, by session id. */
  readonly waiting: Map<string, WaitingTurn>;
  readonly oneShotsRemoved: number;
}

/**
 * Puts in order what an earlier host left behind, before the first session is given out: its processes and folders go
 * (what only they have of a transcript is kept), turns that it was running get their end, once, but for those that wait for
 * their client, and one-shot sessions are removed. A session that can't be put in order keeps neither the others nor the host from starting.
 */
export async function recover(parts: RecoveryParts): Promise<RecoveryResult> {
  const { store, host, telemetry } = parts;
  // First of all: a process of the earlier host may still be writing.
  const stale = new Set(await store.staleTranscriptFolders());
  const swept = await host.sweep(stale, (left) => salvage(left, parts));
  const oneShotsRemoved = await removeOneShots(parts);
  // Those of prepared processes, and of sessions that were about to be made, when the host died.
  await host.sweepWorkspaces((id) =>
    store.getSession(id).then(
      (row) => row !== undefined,
      // One that can't be read is there all the same, and keeps no host from starting.
      () => true,
    ),
  );
  const unfinished = await store.unfinishedTurns();
  const delivered = unfinished.filter((turn) => turn.delivered);
  let turnsEnded = 0;
  const waiting = new Map<string, WaitingTurn>();
  for (const turn of delivered) {
    const end = async (): Promise<void> => {
      const standing = await standingInStore(turn, store);
      if (standing.at === 'waits' || standing.at === 'answered') {
        waiting.set(turn.session.id, { ...turn, standing });
        return;
      }
      await endOpen(turn, standing.at === 'interrupted' ? interrupted() : crashed(), parts);
      turnsEnded += 1;
    };
    const endIfOpen = async (): Promise<void> => {
      const open = await store.unfinishedTurns();
      // What seemed to fail may have been written all the same, and a turn has one end.
      if (open.some(({ prompt }) => prompt.turnId === turn.prompt.turnId)) await end();
    };
    await parts.broken.attempt(turn.session.id, end, endIfOpen);
  }
  const result = {
    ...swept,
    turnsEnded,
    prompts: unfinished.filter((turn) => !turn.delivered),
    waiting,
    oneShotsRemoved,
  };
  const { size: sessionsBroken } = parts.broken;
  telemetry.log.info('pool_recovered', {
    ...result,
    prompts: result.prompts.length,
    waiting: waiting.size,
    sessionsBroken,
  });
  return result;
}

/**
 * Runs the prompts that were never delivered: a few sessions at a time, so that they do not crowd out new callers and a long
 * turn of one does not keep the others from running; those of one session in their order.
 */
export async function runUndelivered(
  undelivered: Undelivered,
  parts: RecoveryParts,
): Promise<void> {
  const { sessions } = undelivered;
  const work = async (): Promise<void> => {
    for (let next = sessions.shift(); next !== undefined; next = sessions.shift())
      await runPrompts(next, undelivered, parts);
  };
  await Promise.all(Array.from({ length: parts.sessionsAtOnce }, work));
}

/** Brings a session into memory, where its prompts are taken up, and waits for their end. */
async function runPrompts(
  { id, tenant, name }: SessionRow,
  undelivered: Undelivered,
  { residents, telemetry }: RecoveryParts,
): Promise<void> {
  try {
    await residents.find(tenant, name);
    await undelivered.ended(id);
  } catch (error) {
    // They stay in the store, and are taken up when somebody asks for the session, or at the next start.
    telemetry.log.warn('pool_prompt_not_resumed', { sessionId: name, error: errorText(error) });
  }
}

/** Takes out of the folder of a process what it had not handed on when the host died with it. */
async function salvage({ sessionId, folder }: LeftFolder, parts: RecoveryParts): Promise<void> {
  const { store, driver, broken, host } = parts;
  const row = await store.getSession(sessionId);
  if (row === undefined || row.kind === 'one_shot') return;
  const rescue = (): Promise<void> =>
    driver.rescueTranscript(folder, row.agentSessionId, store.transcripts);
  const again = async (): Promise<void> => {
    await rescue();
    await host.removeProcessFolder(folder);
  };
  if (await broken.attempt(sessionId, rescue, again)) return;
  throw new RoundhouseError('storage_failed', `The transcript in ${folder} could not be kept.`);
}

/** Where a delivered turn stands, by what is kept of it. */
async function standingInStore(
  { session, prompt }: UnfinishedTurn,
  store: SessionStore,
): Promise<TurnStanding> {
  const records: EventRecord[] = [];
  let after = prompt.number;
  for (;;) {
    const page = await store.readEvents(session.id, after, PAGE_RECORDS, PAGE_BYTES);
    const last = page.at(-1);
    if (last === undefined) return standingOf(records);
    after = last.number;
    records.push(...page.filter(({ turnId }) => turnId === prompt.turnId));
  }
}

function crashed(): TurnEnd {
  const { when, next } = ERROR_KINDS.interrupted_by_crash;
  return endBy({ code: 'interrupted_by_crash', message: `${when} ${next}` });
}

/** The first cause ends a turn: its client was before the death of the host. */
function interrupted(): TurnEnd {
  return endBy(INTERRUPTED_BY_CLIENT, 'interrupted');
}

async function endOpen(
  turn: UnfinishedTurn,
  end: TurnEnd,
  { store, owner }: RecoveryParts,
): Promise<void> {
  const row = await store.claimSession(turn.session.id, owner);
  const last = await store.lastEventNumber(row.id);
  const at = wallClockIso();
  const records = endRecords(turn.prompt.turnId ?? '', end, true).map((record, index) => ({
    ...record,
    number: last + 1 + index,
    sessionId: row.id,
    at,
    type: record.body.type,
  }));
  await store.append(row.id, row.epoch, records);
}

async function removeOneShots({ store, host, telemetry }: RecoveryParts): Promise<number> {
  let removed = 0;
  for await (const row of allSessions(store, 'one_shot')) {
    try {
      await store.deleteSession(row.id);
      if (row.ownsWorkspace) await host.removeWorkspace(row.workspace);
      removed += 1;
    } catch (error) {
      // Nobody asks for it again; the next start tries once more.
      telemetry.log.warn('pool_one_shot_left', { id: row.id, error: errorText(error) });
    }
  }
  return removed;
}

async function* allSessions(
  store: SessionStore,
  kind: SessionRow['kind'],
): AsyncGenerator<SessionRow> {
  let after: string | undefined;
  do {
    const page = await store.listSessions({
      limit: 1_000,
      kind,
      ...(after !== undefined && { after }),
    });
    yield* page.sessions;
    after = page.next ?? undefined;
  } while (after !== undefined);
}
