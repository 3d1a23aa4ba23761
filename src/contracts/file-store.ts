/** What a write has kept. */
export interface WrittenFile {
  readonly sizeBytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/** Bytes that are open for reading, once, in order. Whoever has them reads to the end, or leaves the loop, or closes. */
export interface OpenFile extends AsyncIterable<Uint8Array> {
  readonly sizeBytes: number;
  /** May be called twice, at any moment; the rest can't be read then. */
  close(): Promise<void>;
}

/**
 * Where the bytes of files live, by ids that we mint (letters, digits, `_`, `-`; others are `internal`). Every method
 * rejects with `storage_failed` too. What a write has resolved survives the death of the process and a loss of power.
 */
export interface FileStore {
  /**
   * Keeps what `source` gives, one piece at a time. When it rejects nothing is left: `payload_too_large` as soon as there
   * is more than `maxBytes`, or what `source` rejects with. The id must be new. A source that is left in the middle is told.
   */
  write(id: string, source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<WrittenFile>;
  /** The bytes as they are now: a removal does not take them from who has opened them. Undefined when there are none. */
  open(id: string): Promise<OpenFile | undefined>;
  /** Removes the bytes, also what an unfinished write of another process has left. Harmless when there are none. */
  remove(id: string): Promise<void>;
  /** The ids of everything that is there, what unfinished writes have left included. Call before any write. */
  ids(): Promise<string[]>;
}
