import type { Residents } from './residents.ts';
import type { Undelivered } from './undelivered.ts';
import type { Host, SweepResult } from '../contracts/host.ts';
import type { SessionRow, SessionStore, UnfinishedTurn } from '../contracts/session-store.ts';
import { ERROR_KINDS, errorText } from '../errors.ts';
import { endBy } from '../session/stop-cause.ts';
import { endRecords } from '../session/turn-records.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { wallClockIso } from '../time/clock.ts';

export interface RecoveryParts {
  readonly store: SessionStore;
  readonly host: Host;
  readonly residents: Residents;
  readonly owner: string;
  readonly telemetry: Telemetry;
  /** Sessions whose undelivered prompts run at the same time. */
  readonly sessionsAtOnce: number;
}

export interface RecoveryResult extends SweepResult {
  /** Turns that were running when the host died and have been given their end. */
  readonly turnsEnded: number;
  /** Prompts that were accepted and never delivered; they run now. */
  readonly prompts: readonly UnfinishedTurn[];
  readonly oneShotsRemoved: number;
}

/**
 * Puts in order what an earlier host left behind, before the first session is given out: its processes and folders go,
 * turns that it was running get their end, once, and one-shot sessions are removed.
 */
export async function recover(parts: RecoveryParts): Promise<RecoveryResult> {
  const { store, host, telemetry } = parts;
  // First of all: a process of the earlier host may still be writing.
  const swept = await host.sweep(await staleFolders(store));
  const oneShotsRemoved = await removeOneShots(parts);
  const unfinished = await store.unfinishedTurns();
  const delivered = unfinished.filter((turn) => turn.delivered);
  for (const turn of delivered) await endCrashed(turn, parts);
  const result = {
    ...swept,
    turnsEnded: delivered.length,
    prompts: unfinished.filter((turn) => !turn.delivered),
    oneShotsRemoved,
  };
  telemetry.log.info('pool_recovered', { ...result, prompts: result.prompts.length });
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

async function endCrashed(turn: UnfinishedTurn, { store, owner }: RecoveryParts): Promise<void> {
  const row = await store.claimSession(turn.session.id, owner);
  const last = await store.lastEventNumber(row.id);
  const { when, next } = ERROR_KINDS.interrupted_by_crash;
  const end = endBy({ code: 'interrupted_by_crash', message: `${when} ${next}` });
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

async function removeOneShots({ store, host }: RecoveryParts): Promise<number> {
  let removed = 0;
  for await (const row of allSessions(store, 'one_shot')) {
    await store.deleteSession(row.id);
    await host.removeWorkspace(row.workspace);
    removed += 1;
  }
  return removed;
}

async function staleFolders(store: SessionStore): Promise<ReadonlySet<string>> {
  const folders = new Set<string>();
  for await (const row of allSessions(store, 'named')) {
    if (row.staleTranscriptFolder !== null) folders.add(row.staleTranscriptFolder);
  }
  return folders;
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
