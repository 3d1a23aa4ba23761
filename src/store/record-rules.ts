import { RoundhouseError } from '../errors.ts';
import type { EventRecord } from '../events/record.ts';
import { toJson } from './json.ts';

/** What a record does to its turn; a store keeps the turns that have begun and not ended. */
export type TurnMark =
  | {
      readonly kind: 'begun';
      readonly turnId: string;
      readonly promptNumber: number;
      /** JSON of what the agent is given; null where that is what the record says. */
      readonly given: string | null;
    }
  | { readonly kind: 'delivered'; readonly turnId: string }
  | { readonly kind: 'ended'; readonly turnId: string };

/** The marks of `records`, in order. A record outside a turn leaves none. */
export function turnMarks(records: readonly EventRecord[]): TurnMark[] {
  const marks: TurnMark[] = [];
  for (const { turnId, type, number, detail, given } of records) {
    if (turnId === null) continue;
    if (type === 'user.message' && detail.prompt !== undefined) {
      marks.push({
        kind: 'begun',
        turnId,
        promptNumber: number,
        given: given === undefined ? null : toJson(given),
      });
    }
    if (detail.delivered === true) marks.push({ kind: 'delivered', turnId });
    if (detail.turnEnd !== undefined) marks.push({ kind: 'ended', turnId });
  }
  return marks;
}

/**
 * Throws `storage_failed` unless all records are of that session, say one type in both places and follow each other
 * without a gap. Whether the first one follows the store's last one is the store's to check, in its transaction.
 */
export function checkRecords(sessionId: string, records: readonly EventRecord[]): void {
  const first = records[0];
  if (first === undefined) return;
  for (const [index, record] of records.entries()) {
    if (record.number !== first.number + index) {
      throw recordsRefused(sessionId, first.number + index, record.number);
    }
    if (record.sessionId !== sessionId || record.type !== record.body.type) {
      throw new RoundhouseError(
        'storage_failed',
        `Record ${record.number} of session ${sessionId} was refused: it names session ${record.sessionId}, type ${record.type} and a body of type ${record.body.type}. This is a defect of the server; nothing was kept.`,
      );
    }
  }
}

/** The error for a record whose number does not follow: only a defect of the caller can be its reason. */
export function recordsRefused(sessionId: string, expected: number, got: number): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    `The events of session ${sessionId} were refused: expected number ${expected}, got ${got}. Numbers must have no gap; this is a defect of the server, and nothing was kept.`,
    { fields: { sessionId, expected, got } },
  );
}

/** The error for a write under an epoch that is over. */
export function sessionMoved(sessionId: string, expected: number, got: number): RoundhouseError {
  return new RoundhouseError(
    'session_moved',
    `Session ${sessionId} has another owner since: it is at epoch ${expected}, the write was for epoch ${got}. Nothing was kept; retry, the new owner answers.`,
    { fields: { sessionId, expected, got } },
  );
}

/** The error for a call that needs a session which is not there. */
export function sessionNotFound(sessionId: string): RoundhouseError {
  return new RoundhouseError(
    'session_not_found',
    `There is no session ${sessionId} in the store; it may have been deleted meanwhile.`,
    { fields: { sessionId } },
  );
}

/** The error for a second session of one name. */
export function nameTaken(name: string): RoundhouseError {
  return new RoundhouseError(
    'session_busy',
    `A session named ${name} exists already under this key; use it, or choose another name.`,
    { fields: { name } },
  );
}

/** The error for every call after `close`. */
export function storeClosed(): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    'The store is closed; this call came after the server had shut it down.',
  );
}
