/**
 * The tables. One schema for SQLite and Postgres: `text` and `integer` only, JSON as text (it comes back exactly as it was
 * written, which `jsonb` does not promise), truth values as 0 and 1, times as RFC 3339 in UTC, which sort as text.
 */
export interface Database {
  readonly sessions: SessionsTable;
  readonly events: EventsTable;
  readonly open_turns: OpenTurnsTable;
  readonly requests: RequestsTable;
  readonly transcript_entries: TranscriptEntriesTable;
  readonly catalog_documents: CatalogDocumentsTable;
  readonly catalog_versions: CatalogVersionsTable;
}

/** Unique: `(tenant, name)`. */
export interface SessionsTable {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly agent_session_id: string;
  /** JSON. */
  readonly options: string;
  /** JSON. */
  readonly limits: string;
  readonly workspace: string;
  readonly owns_workspace: number;
  readonly kind: 'named' | 'one_shot';
  readonly stale_transcript_folder: string | null;
  /** JSON. */
  readonly usage: string;
  readonly turn_count: number;
  readonly created_at: string;
  readonly last_active_at: string;
  readonly owner: string;
  /** From 1. 0 while the session is being made or removed in many steps: nobody finds it, and the next start removes it. */
  readonly epoch: number;
  /** The number of the last event: one `update` compares it and the epoch, and moves both forward. */
  readonly last_number: number;
  /** The number of the first event that is still there, or would be: trimming compares it and moves it forward. */
  readonly first_number: number;
  /** UTF-8 bytes of the bodies and details of the events that are there. A `bigint`. */
  readonly event_bytes: number;
  /** A `bigint`, as a session may be at work for more than 24 days. */
  readonly active_ms: number;
  readonly archived_at: string | null;
}

/** Key: `(session_id, number)`. Goes with its session. */
export interface EventsTable {
  readonly session_id: string;
  readonly number: number;
  readonly turn_id: string | null;
  readonly at: string;
  /** The type of the body, kept apart so that kinds of events can be selected. */
  readonly type: string;
  /** The id of the body, so that an event can be found by it. Null in records of before. */
  readonly event_id: string | null;
  /** JSON. */
  readonly body: string;
  /** JSON. */
  readonly detail: string;
}

/** Turns that have begun and not ended. Key: `(session_id, turn_id)`. Goes with its session. */
export interface OpenTurnsTable {
  readonly session_id: string;
  readonly turn_id: string;
  /** The number of the event that holds the prompt. */
  readonly prompt_number: number;
  readonly delivered: number;
  /** JSON: what the agent is given in the place of the content of the event, until it is delivered. Mostly null. */
  readonly given: string | null;
  /** Grows with each turn that begins while others are open: the order of beginning, whatever the wall clock does. */
  readonly position: number;
}

/** Key: `(session_id, key)`. Goes with its session, or when it is old. */
export interface RequestsTable {
  readonly session_id: string;
  readonly key: string;
  readonly digest: string;
  /** JSON. */
  readonly event_ids: string;
  readonly at: string;
}

/** Key: `(agent_session_id, subpath, position)`; unique: `(agent_session_id, subpath, uuid)`. */
export interface TranscriptEntriesTable {
  readonly agent_session_id: string;
  readonly subpath: string;
  /** Grows, with gaps where a repeated entry was skipped. */
  readonly position: number;
  readonly uuid: string | null;
  /** JSON. */
  readonly entry: string;
}

/** What sessions are made of. Its body, and when it was made, stand with its version. */
export interface CatalogDocumentsTable {
  readonly id: string;
  readonly kind: string;
  readonly tenant: string;
  /** The version that holds: one `update` compares it and moves it forward. */
  readonly version: number;
  readonly created_at: string;
  readonly archived_at: string | null;
  /** Of a session: what it was made of, a copy of what stands in the body, for queries. */
  readonly agent_id: string | null;
  readonly agent_version: number | null;
  readonly environment_id: string | null;
}

/** Key: `(document_id, version)`. Goes with its document. */
export interface CatalogVersionsTable {
  readonly document_id: string;
  readonly version: number;
  readonly at: string;
  /** JSON. */
  readonly body: string;
}
