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

/**
 * The resume state of agents. Appends keep their order. An entry whose `uuid` is there already is skipped, so a repeated
 * append is harmless; entries without one are always added.
 */
export interface TranscriptStore {
  append(key: TranscriptKey, entries: readonly TranscriptEntry[]): Promise<void>;
  /** All entries in order; `[]` for a transcript that was never written. */
  load(key: TranscriptKey): Promise<TranscriptEntry[]>;
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
