import { endRecords } from './turn-records.ts';
import type { Turn } from './turn.ts';
import type {
  RequestMark,
  SessionPatch,
  SessionRow,
  SessionStore,
} from '../contracts/session-store.ts';
import { asRoundhouseError, errorText } from '../errors.ts';
import {
  addUsage,
  namesFile,
  type EventRecord,
  type NewRecord,
  type PromptContent,
  type TurnEnd,
} from '../events/record.ts';
import { SessionLog } from '../log/session-log.ts';
import type { TailLimits } from '../log/tail.ts';
import { wallClockIso } from '../time/clock.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface JournalParts {
  readonly row: SessionRow;
  readonly lastNumber: number;
  readonly store: SessionStore;
  readonly tailLimits?: TailLimits;
  /** Called when the last reader of the log has left. */
  readonly onUnread?: () => void;
  readonly telemetry: Telemetry;
}

/**
 * What the session writes: its log and its row, changed together. An end that the store would not take is owed, and goes
 * before anything else as soon as the store works again, so that no turn stays without its end.
 */
export class Journal {
  readonly log: SessionLog;
  readonly #store: SessionStore;
  readonly #telemetry: Telemetry;
  #row: SessionRow;
  #owed: readonly NewRecord[] = [];
  #owedPatch: SessionPatch = {};

  constructor(parts: JournalParts) {
    this.#row = parts.row;
    this.#store = parts.store;
    this.#telemetry = parts.telemetry;
    this.log = new SessionLog({
      sessionId: parts.row.id,
      epoch: parts.row.epoch,
      lastNumber: parts.lastNumber,
      store: parts.store,
      telemetry: parts.telemetry,
      onPatched: (patch) => {
        this.#row = { ...this.#row, ...patch };
      },
      ...(parts.onUnread !== undefined && { onUnread: parts.onUnread }),
      ...(parts.tailLimits !== undefined && { tailLimits: parts.tailLimits }),
    });
  }

  get row(): SessionRow {
    return this.#row;
  }

  /**
   * Appends records and changes the row, in one transaction. A change that builds on the row is given as a function, so that
   * appends at the same time lose nothing of each other. `mark`: of the request that they are for. Rejects with `storage_failed` or `session_moved`.
   */
  async append(
    records: readonly NewRecord[],
    patch: (row: SessionRow) => SessionPatch = () => ({}),
    mark?: RequestMark,
  ): Promise<EventRecord[]> {
    const owed = this.#owed;
    this.#owed = [];
    let owedPatch: SessionPatch = {};
    try {
      const patchNow = (): SessionPatch => {
        owedPatch = this.#owedPatch;
        return { ...owedPatch, ...patch(this.#row) };
      };
      const written = await this.log.append([...owed, ...records], patchNow, mark);
      if (this.#owedPatch === owedPatch) this.#owedPatch = {};
      return written.slice(owed.length);
    } catch (error) {
      this.#owed = [...owed, ...this.#owed];
      throw error;
    }
  }

  /**
   * What the agent is to be given for a prompt, which is not marked delivered yet. It is read for that moment: prompts that
   * wait hold none of it. Rejects with `storage_failed`.
   */
  async contentFor({ id, content }: Pick<Turn, 'id' | 'content'>): Promise<PromptContent> {
    if (!content.some(namesFile)) return content;
    return (await this.#store.givenContent(this.#row.id, id)) ?? content;
  }

  /** Changes the row alone. */
  async patch(patch: SessionPatch): Promise<void> {
    await this.append([], () => patch);
  }

  /**
   * Notes that the folder of a process is the only copy of a part of the transcript. Never rejects: the row has it at once,
   * so that no process starts without it, and the store as soon as it works (what failed there is likely the store itself).
   */
  async noteStaleTranscript(processFolder: string): Promise<void> {
    if (this.#row.staleTranscriptFolder === processFolder) return;
    const patch = { staleTranscriptFolder: processFolder };
    this.#row = { ...this.#row, ...patch };
    this.#owedPatch = { ...this.#owedPatch, ...patch };
    await this.settle();
  }

  /** Writes what is owed, if the store takes it now. Never rejects. */
  async settle(): Promise<void> {
    if (this.#owed.length === 0 && Object.keys(this.#owedPatch).length === 0) return;
    try {
      await this.append([]);
    } catch (error) {
      this.#telemetry.log.error('session_debt_not_stored', {
        id: this.#row.id,
        error: errorText(error),
      });
    }
  }

  /**
   * Appends the end of a turn, as {@link endRecords} has it. Never rejects: where the store fails, the readers are told and the
   * end is owed.
   */
  async appendEnd(turn: Turn, end: TurnEnd, rests: boolean, budgetSpent?: boolean): Promise<void> {
    const records = endRecords(turn.id, end, rests, budgetSpent);
    try {
      await this.append(records, (row) => ({
        usage: addUsage(row.usage, end.usage),
        activeMs: row.activeMs + turn.activeMs,
        lastActiveAt: wallClockIso(),
      }));
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
