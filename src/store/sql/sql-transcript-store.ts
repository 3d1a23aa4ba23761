import { sql, type Kysely } from 'kysely';
import type {
  TranscriptEntry,
  TranscriptKey,
  TranscriptPage,
  TranscriptPageQuery,
  TranscriptStore,
} from '../../contracts/transcripts.ts';
import { letOthersRun } from '../../time/timers.ts';
import { countWithin } from '../event-queries.ts';
import { toJson } from '../json.ts';
import { checkLimit, MAX_READ_RECORDS } from '../paging.ts';
import { BYTES_PER_STEP, inChunks } from './chunks.ts';
import type { Database } from './schema.ts';
import { mapped, type MapStorageError } from './storage-calls.ts';

/** Transcripts in the tables of a {@link SqlSessionStore}. */
export class SqlTranscriptStore implements TranscriptStore {
  readonly #db: Kysely<Database>;
  readonly #mapError: MapStorageError;

  constructor(db: Kysely<Database>, mapError: MapStorageError) {
    this.#db = db;
    this.#mapError = mapError;
  }

  append(key: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void> {
    return this.#mapped(async () => {
      if (entries.length === 0) return;
      await this.#db.transaction().execute((trx) => addEntries(trx, key, entries));
    });
  }

  load(key: TranscriptKey): Promise<TranscriptEntry[]> {
    return this.#mapped(async () => {
      const rows = await this.#db
        .selectFrom('transcript_entries')
        .select('entry')
        .where('agent_session_id', '=', key.agentSessionId)
        .where('subpath', '=', key.subpath)
        .orderBy('position')
        .execute();
      const entries: TranscriptEntry[] = [];
      let chars = 0;
      for (const row of rows) {
        if (chars > BYTES_PER_STEP) {
          chars = 0;
          await letOthersRun();
        }
        chars += row.entry.length;
        entries.push(JSON.parse(row.entry));
      }
      return entries;
    });
  }

  read(
    key: TranscriptKey,
    { after, limit, maxBytes }: TranscriptPageQuery,
  ): Promise<TranscriptPage> {
    return this.#mapped(async () => {
      checkLimit(limit, MAX_READ_RECORDS);
      const entries = this.#db
        .selectFrom('transcript_entries')
        .where('agent_session_id', '=', key.agentSessionId)
        .where('subpath', '=', key.subpath)
        .where('position', '>', after)
        .orderBy('position');
      const found = await entries
        .select(['position', sql<number>`octet_length(entry)`.as('bytes')])
        .limit(limit + 1)
        .execute();
      const sizes = found.slice(0, limit).map(({ bytes }) => bytes);
      const last = found[countWithin(sizes, maxBytes) - 1]?.position;
      if (last === undefined) return { entries: [], next: null };
      const rows = await entries.select('entry').where('position', '<=', last).execute();
      return {
        entries: rows.map((row): TranscriptEntry => JSON.parse(row.entry)),
        next: found.at(-1)?.position === last ? null : last,
      };
    });
  }

  listSubpaths(agentSessionId: string): Promise<string[]> {
    return this.#mapped(async () => {
      const rows = await this.#db
        .selectFrom('transcript_entries')
        .select('subpath')
        .distinct()
        .where('agent_session_id', '=', agentSessionId)
        .execute();
      // Sorted here: the order of text in a database depends on its collation.
      return rows.map((row) => row.subpath).toSorted();
    });
  }

  replace(key: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void> {
    return this.#mapped(() =>
      this.#db.transaction().execute(async (trx) => {
        await trx
          .deleteFrom('transcript_entries')
          .where('agent_session_id', '=', key.agentSessionId)
          .where('subpath', '=', key.subpath)
          .execute();
        await addEntries(trx, key, entries);
      }),
    );
  }

  #mapped<T>(work: () => Promise<T>): Promise<T> {
    return mapped(this.#mapError, work);
  }
}

async function addEntries(
  trx: Kysely<Database>,
  key: TranscriptKey,
  entries: readonly TranscriptEntry[],
): Promise<void> {
  const last = await trx
    .selectFrom('transcript_entries')
    .select((eb) => eb.fn.max('position').as('position'))
    .where('agent_session_id', '=', key.agentSessionId)
    .where('subpath', '=', key.subpath)
    .executeTakeFirst();
  const before = last?.position ?? 0;
  const rows = entries.map((entry, index) => ({
    agent_session_id: key.agentSessionId,
    subpath: key.subpath,
    position: before + index + 1,
    uuid: entry.uuid ?? null,
    entry: toJson(entry),
  }));
  for (const chunk of inChunks(rows)) {
    await trx
      .insertInto('transcript_entries')
      .values(chunk)
      // Only this conflict means "there already"; any other one is a defect and must fail.
      .onConflict((conflict) =>
        conflict.columns(['agent_session_id', 'subpath', 'uuid']).doNothing(),
      )
      .execute();
  }
}
