import { endRecords } from './turn-records.ts';
import type { Turn } from './turn.ts';
import type { SessionPatch, SessionRow, SessionStore } from '../contracts/session-store.ts';
import { asRoundhouseError, errorText } from '../errors.ts';
import { addUsage, type EventRecord, type NewRecord, type TurnEnd } from '../events/record.ts';
import { SessionLog } from '../log/session-log.ts';
import type { TailLimits } from '../log/tail.ts';
import { wallClockIso } from '../time/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface JournalParts {
  readonly row: SessionRow;
  readonly lastNumber: number;
  readonly store: SessionStore;
  readonly tailLimits?: TailLimits;
  readonly telemetry: Telemetry;
}

/**
 * What the session writes: its log and its row, changed together. An end that the store would not take is owed, and goes
 * before anything else as soon as the store works again, so that no turn stays without its end.
 */
export class Journal {
  readonly log: SessionLog;
  readonly #telemetry: Telemetry;
  #row: SessionRow;
  #owed: readonly NewRecord[] = [];

  constructor(parts: JournalParts) {
    this.#row = parts.row;
    this.#telemetry = parts.telemetry;
    this.log = new SessionLog({
      sessionId: parts.row.id,
      epoch: parts.row.epoch,
      lastNumber: parts.lastNumber,
      store: parts.store,
      telemetry: parts.telemetry,
      ...(parts.tailLimits !== undefined && { tailLimits: parts.tailLimits }),
    });
  }

  get row(): SessionRow {
    return this.#row;
  }

  /** Appends records and changes the row, in one transaction. Rejects with `storage_failed` or `session_moved`. */
  async append(records: readonly NewRecord[], patch: SessionPatch = {}): Promise<EventRecord[]> {
    const owed = this.#owed;
    this.#owed = [];
    try {
      const written = await this.log.append([...owed, ...records], patch);
      this.#row = { ...this.#row, ...patch };
      return written.slice(owed.length);
    } catch (error) {
      this.#owed = [...owed, ...this.#owed];
      throw error;
    }
  }

  /** Changes the row alone. */
  async patch(patch: SessionPatch): Promise<void> {
    await this.append([], patch);
  }

  /** Appends the end of a turn. Never rejects: where the store fails, the readers are told and the end is owed. */
  async appendEnd(turn: Turn, end: TurnEnd, delivered: boolean): Promise<void> {
    const records = endRecords(turn.id, end, delivered);
    const usage = addUsage(this.#row.usage, end.usage);
    try {
      await this.append(records, { usage, lastActiveAt: wallClockIso() });
    } catch (error) {
      const failure = asRoundhouseError(error, 'storage_failed');
      this.#telemetry.log.error('session_end_not_stored', {
        id: this.#row.id,
        turnId: turn.id,
        error: errorText(error),
      });
      if (failure.code !== 'session_moved') this.#owed = [...this.#owed, ...records];
      this.log.cut(failure);
    }
  }
}
