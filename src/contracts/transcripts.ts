/** A line of an agent's transcript: JSON, opaque to everything but the driver that wrote it. */
export type TranscriptEntry = {
  readonly type: string;
  readonly uuid?: string;
  readonly [field: string]: unknown;
};

/** Which transcript: the agent's conversation, and within it the main one (`''`) or that of a subagent. */
export interface TranscriptKey {
  readonly agentSessionId: string;
  /** `''` for the main transcript. */
  readonly subpath: string;
}

export interface TranscriptPageQuery {
  /** The `next` of the page before; 0 begins. */
  readonly after: number;
  /** Entries, 1 to 10,000. */
  readonly limit: number;
  /** UTF-8 bytes of the entries as JSON. */
  readonly maxBytes: number;
}

export interface TranscriptPage {
  readonly entries: readonly TranscriptEntry[];
  /** Pass as `after` to get the next page; null when this was the last. */
  readonly next: number | null;
}

/**
 * The resume state of agents. Appends keep their order. An entry whose `uuid` is there already is skipped, so a repeated
 * append is harmless; entries without one are always added.
 */
export interface TranscriptStore {
  append(key: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void>;
  /** All entries in order; `[]` for a transcript that was never written. */
  load(key: TranscriptKey): Promise<TranscriptEntry[]>;
  /** A page of them, for whoever must not hold a whole transcript. The first of a page always comes, whatever its bytes. */
  read(key: TranscriptKey, page: TranscriptPageQuery): Promise<TranscriptPage>;
  /** The subpaths that exist under the conversation, the main one (`''`) included, sorted. */
  listSubpaths(agentSessionId: string): Promise<string[]>;
  /** Puts `entries` in the place of all that is there, in one transaction. */
  replace(key: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void>;
}

/** One message of a history that a client brings along, in the form of the Anthropic Messages API. */
export interface SeedMessage {
  readonly role: 'user' | 'assistant';
  /** Text or content blocks of the Messages API. */
  readonly content: string | readonly Readonly<Record<string, unknown>>[];
}
