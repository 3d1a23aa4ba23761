import type { EventBounds, Trimmed } from '../contracts/session-store.ts';

/** What deciding about a record takes. */
export interface TrimCandidate {
  readonly number: number;
  readonly turnId: string | null;
  readonly at: string;
  /** UTF-8 bytes of its body and detail as JSON. */
  readonly bytes: number;
}

/** A session's events as they stand. */
export interface TrimState {
  readonly lastNumber: number;
  /** Of all records. */
  readonly bytes: number;
  /** The turn of the last record that has one: it stays. */
  readonly lastTurnId: string | null;
  /** The lowest number of a prompt whose turn has no end; what comes before it belongs to turns that have. */
  readonly firstOpenPrompt: number | undefined;
}

/** The records that go: all before `firstKept`. */
export interface TrimPlan extends Trimmed {
  readonly firstKept: number;
  readonly removedBytes: number;
}

/**
 * Which of the oldest records go. `candidates` are the first ones, in order. A
 * record that must stay keeps everything behind it: what is left is always the end of the log.
 */
export function planTrim(
  candidates: readonly TrimCandidate[],
  state: TrimState,
  bounds: EventBounds,
  maxRecords: number,
): TrimPlan {
  let removed = 0;
  let removedBytes = 0;
  for (const candidate of candidates) {
    const kept = state.bytes - removedBytes;
    if (mustStay(candidate, state) || !exceeds(candidate, state.lastNumber, kept, bounds)) break;
    removed += 1;
    removedBytes += candidate.bytes;
  }
  const firstKept = (candidates[0]?.number ?? 1) + removed;
  return { removed, removedBytes, firstKept, more: removed === maxRecords };
}

/** UTF-8 bytes of a record, by its body and detail as JSON. */
export function recordBytes(record: { readonly body: string; readonly detail: string }): number {
  return Buffer.byteLength(record.body) + Buffer.byteLength(record.detail);
}

function mustStay({ number, turnId }: TrimCandidate, state: TrimState): boolean {
  return (
    number >= Math.min(state.firstOpenPrompt ?? state.lastNumber, state.lastNumber) ||
    (turnId !== null && turnId === state.lastTurnId)
  );
}

/** Whether a bound is exceeded as long as the candidate, now the oldest record, is there. */
function exceeds(
  { number, at }: TrimCandidate,
  lastNumber: number,
  keptBytes: number,
  { maxEvents, maxBytes, notBefore }: EventBounds,
): boolean {
  return (
    (maxEvents !== undefined && lastNumber - number >= maxEvents) ||
    (maxBytes !== undefined && keptBytes > maxBytes) ||
    (notBefore !== undefined && at < notBefore)
  );
}
