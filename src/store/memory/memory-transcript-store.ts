import type {
  TranscriptEntry,
  TranscriptKey,
  TranscriptPage,
  TranscriptPageQuery,
  TranscriptStore,
} from '../../contracts/transcripts.ts';
import { countWithin } from '../event-queries.ts';
import { toJson } from '../json.ts';
import { checkLimit, MAX_READ_RECORDS } from '../paging.ts';

/** One transcript: its entries as JSON, which is a deep copy that nobody can change, and the uuids among them. */
interface Transcript {
  readonly entries: string[];
  readonly uuids: Set<string>;
}

const NOTHING: Pick<Transcript, 'entries'> = { entries: [] };

/** An entry on its way into a transcript. */
interface Line {
  readonly uuid: string | undefined;
  readonly json: string;
}

/** Transcripts of a {@link MemorySessionStore}; `checkOpen` throws once that store is closed. */
export class MemoryTranscriptStore implements TranscriptStore {
  readonly #conversations = new Map<string, Map<string, Transcript>>();
  readonly #checkOpen: () => void;

  constructor(checkOpen: () => void) {
    this.#checkOpen = checkOpen;
  }

  async append(key: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void> {
    this.#checkOpen();
    this.#add(key, entries.map(toLine));
  }

  async load(key: TranscriptKey): Promise<TranscriptEntry[]> {
    this.#checkOpen();
    const transcript = this.#conversations.get(key.agentSessionId)?.get(key.subpath);
    return (transcript?.entries ?? []).map((json): TranscriptEntry => JSON.parse(json));
  }

  async read(
    key: TranscriptKey,
    { after, limit, maxBytes }: TranscriptPageQuery,
  ): Promise<TranscriptPage> {
    this.#checkOpen();
    checkLimit(limit, MAX_READ_RECORDS);
    const { entries } = this.#conversations.get(key.agentSessionId)?.get(key.subpath) ?? NOTHING;
    const lines = entries.slice(after, after + limit);
    const sizes = lines.map((json) => Buffer.byteLength(json));
    const next = after + countWithin(sizes, maxBytes);
    return {
      entries: entries.slice(after, next).map((json): TranscriptEntry => JSON.parse(json)),
      next: next < entries.length ? next : null,
    };
  }

  async listSubpaths(agentSessionId: string): Promise<string[]> {
    this.#checkOpen();
    return [...(this.#conversations.get(agentSessionId)?.keys() ?? [])].toSorted();
  }

  async replace(key: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void> {
    this.#checkOpen();
    // Made before anything changes, so that an entry that JSON can't hold leaves everything as it was.
    const lines = entries.map(toLine);
    this.#conversations.get(key.agentSessionId)?.delete(key.subpath);
    this.#add(key, lines);
  }

  /** Removes all transcripts of a conversation. */
  deleteConversation(agentSessionId: string): void {
    this.#conversations.delete(agentSessionId);
  }

  #add(key: TranscriptKey, lines: readonly Line[]): void {
    if (lines.length === 0) return;
    const subpaths = this.#conversations.get(key.agentSessionId) ?? new Map<string, Transcript>();
    const transcript = subpaths.get(key.subpath) ?? { entries: [], uuids: new Set() };
    for (const { uuid, json } of lines) {
      if (uuid !== undefined && transcript.uuids.has(uuid)) continue;
      if (uuid !== undefined) transcript.uuids.add(uuid);
      transcript.entries.push(json);
    }
    subpaths.set(key.subpath, transcript);
    this.#conversations.set(key.agentSessionId, subpaths);
  }
}

function toLine(entry: TranscriptEntry): Line {
  return { uuid: entry.uuid, json: toJson(entry) };
}
