import type { Kysely } from 'kysely';
import { letOthersRun } from '../../time/timers.ts';
import { ROWS_PER_STEP } from './chunks.ts';
import type { Database } from './schema.ts';

/** What names all that belongs to a session. */
interface Hidden {
  readonly id: string;
  readonly agent_session_id: string;
}

/**
 * See `SessionStore.deleteSession`. From its first statement on nobody finds the session; what it holds goes in steps, so
 * that a long one stops nobody. What a host that dies leaves of it goes at the next start.
 */
export async function deleteSession(db: Kysely<Database>, id: string): Promise<void> {
  const session = await db
    .updateTable('sessions')
    // No name of a caller has a space. Its own is free for another session at once.
    .set({ epoch: 0, name: `removed ${id}` })
    .where('id', '=', id)
    .where('epoch', '>', 0)
    .returning(['id', 'agent_session_id'])
    .executeTakeFirst();
  if (session === undefined) return;
  // It is gone already, and a second call would not find it: what is left when this fails goes at the next start.
  await removeHidden(db, session).catch(() => {});
}

/** Removes what an earlier host was making or removing when it died, as far as it goes: nobody finds what stays. */
export async function removeUnfinished(db: Kysely<Database>): Promise<void> {
  const unfinished = await db
    .selectFrom('sessions')
    .select(['id', 'agent_session_id'])
    .where('epoch', '=', 0)
    .execute();
  // What can't be removed now is tried at each start, and keeps none from serving the others.
  for (const session of unfinished) await removeHidden(db, session).catch(() => {});
}

/** Removes a session that nobody finds, the row last: while it is there, the next start would find what is left. */
export async function removeHidden(
  db: Kysely<Database>,
  { id, agent_session_id: agentSessionId }: Hidden,
): Promise<void> {
  await removeEvents(db, id);
  const transcripts = await db
    .selectFrom('transcript_entries')
    .select('subpath')
    .distinct()
    .where('agent_session_id', '=', agentSessionId)
    .execute();
  for (const { subpath } of transcripts) await removeEntries(db, agentSessionId, subpath);
  await db.deleteFrom('sessions').where('id', '=', id).execute();
}

/** Removes all events of a session that nobody finds, in steps. */
export async function removeEvents(db: Kysely<Database>, sessionId: string): Promise<void> {
  await inSteps(async () => {
    const last = await db
      .selectFrom('events')
      .select('number')
      .where('session_id', '=', sessionId)
      .orderBy('number')
      .offset(ROWS_PER_STEP - 1)
      .limit(1)
      .executeTakeFirst();
    await db
      .deleteFrom('events')
      .where('session_id', '=', sessionId)
      .$if(last !== undefined, (rest) => rest.where('number', '<=', last?.number ?? 0))
      .execute();
    return last !== undefined;
  });
}

async function removeEntries(
  db: Kysely<Database>,
  agentSessionId: string,
  subpath: string,
): Promise<void> {
  await inSteps(async () => {
    const last = await db
      .selectFrom('transcript_entries')
      .select('position')
      .where('agent_session_id', '=', agentSessionId)
      .where('subpath', '=', subpath)
      .orderBy('position')
      .offset(ROWS_PER_STEP - 1)
      .limit(1)
      .executeTakeFirst();
    await db
      .deleteFrom('transcript_entries')
      .where('agent_session_id', '=', agentSessionId)
      .where('subpath', '=', subpath)
      .$if(last !== undefined, (rest) => rest.where('position', '<=', last?.position ?? 0))
      .execute();
    return last !== undefined;
  });
}

/** Takes steps until one says that there is no further one; others run between them. */
async function inSteps(step: () => Promise<boolean>): Promise<void> {
  while (await step()) await letOthersRun();
}
