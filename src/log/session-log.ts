import { Cursor } from './cursor.ts';
import { approximateBytes } from './item-bytes.ts';
import { oneByOne } from './one-by-one.ts';
import { OpenMessage } from './open-message.ts';
import { DEFAULT_TAIL_LIMITS, Tail, type LiveItem, type TailLimits } from './tail.ts';
import type { RequestMark, SessionPatch, SessionStore } from '../contracts/session-store.ts';
import { asRoundhouseError, type RoundhouseError } from '../errors.ts';
import { gapBefore, type LogItem, type Preview } from '../events/preview.ts';
import { turnEndOf, type EventRecord, type NewRecord } from '../events/record.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { wallClockIso } from '../time/clock.ts';

/** Records that a reader gets from the store in one go while it catches up. */
const BACKLOG_PAGE = 500;

export interface SessionLogParts {
  readonly sessionId: string;
  /** The epoch under which this host owns the session; every append names it. */
  readonly epoch: number;
  /** The number of the last record in the store. */
  readonly lastNumber: number;
  readonly store: Pick<SessionStore, 'append' | 'readEvents'>;
  readonly telemetry: Telemetry;
  readonly tailLimits?: TailLimits;
  /** Called with each change of the row that is in the store now, before readers see the records it came with. */
  readonly onPatched?: (patch: SessionPatch) => void;
  /** Called when the last reader has left, or has been cut. */
  readonly onUnread?: () => void;
}

export interface ReadOptions {
  /** The last number that the reader has seen; 0 for everything. */
  readonly after: number;
  /** Only the items of this turn; the iteration ends with the record that ends it. */
  readonly turnId?: string;
  /** Ends the iteration, without an error. */
  readonly signal?: AbortSignal;
}

type Pending =
  | {
      readonly records: readonly NewRecord[];
      readonly patch: () => SessionPatch | undefined;
      readonly mark: RequestMark | undefined;
      readonly resolve: (records: EventRecord[]) => void;
      readonly reject: (error: RoundhouseError) => void;
    }
  | { readonly turnId: string; readonly previews: readonly Preview[] };

/**
 * The log of one session: it numbers records, appends them to the store before any reader sees them, and hands records and
 * previews to every reader in one order. It never waits for a reader.
 */
export class SessionLog {
  readonly #parts: SessionLogParts;
  readonly #tails = new Set<Tail>();
  readonly #open = new OpenMessage();
  #lastNumber: number;
  #pending: Pending[] = [];
  #writing = false;
  #closed: { readonly error: RoundhouseError | undefined } | undefined;

  constructor(parts: SessionLogParts) {
    this.#parts = parts;
    this.#lastNumber = parts.lastNumber;
  }

  /** The number of the last record that readers have been given. */
  get lastNumber(): number {
    return this.#lastNumber;
  }

  /** Readers that follow the log now. */
  get readerCount(): number {
    return this.#tails.size;
  }

  /**
   * Appends records, in one transaction, with `patch` for the session's row. Resolves when they are in the store and have
   * been handed to the readers. Rejects with `storage_failed` or `session_moved`; then nothing of it was kept. A patch that
   * builds on the row as it is (a sum, a count) is given as a function: it is called when its turn to be written has come.
   * `mark`: of the request that they are for, kept with them.
   */
  append(
    records: readonly NewRecord[],
    patch?: SessionPatch | (() => SessionPatch),
    mark?: RequestMark,
  ): Promise<EventRecord[]> {
    const patchNow = typeof patch === 'function' ? patch : () => patch;
    return new Promise((resolve, reject) => {
      this.#pending.push({ records, patch: patchNow, mark, resolve, reject });
      void this.#write();
    });
  }

  /** Hands previews that came at once to the readers, behind everything that was appended before them. */
  previews(turnId: string, previews: readonly Preview[]): void {
    if (this.#writing) this.#pending.push({ turnId, previews });
    else this.#publishPreviews(turnId, previews);
  }

  /** What {@link SessionLog.readBatches} gives, item by item. */
  read(options: ReadOptions): AsyncGenerator<LogItem, void, undefined> {
    return oneByOne(this.readBatches(options), options.signal);
  }

  /**
   * The records after a number, then the live tail, until the signal aborts, the turn ends or the log is closed. A batch is
   * what was there when the reader asked for more; none is empty. Where the first records are gone, a gap comes in their
   * place; a turn of which something is gone has ended, and so does its reader.
   */
  async *readBatches({
    after,
    turnId,
    signal,
  }: ReadOptions): AsyncGenerator<readonly LogItem[], void, undefined> {
    const left = (): boolean => signal?.aborted === true;
    const cursor = new Cursor(after, turnId);
    let gapped = false;
    // Catch up from the store. The last comparison and the joining of the tail happen in one tick, so nothing falls between.
    while (cursor.seen < this.#lastNumber) {
      if (left()) return;
      const page = await this.#page(cursor.seen);
      if (page.length === 0) break;
      gapped ||= page[0]?.gap !== undefined;
      const items = cursor.pass(page);
      if (left()) return;
      if (items.length > 0) yield items;
      if (cursor.ended) return;
    }
    if (left() || (gapped && turnId !== undefined)) return;
    if (this.#closed !== undefined) {
      if (this.#closed.error !== undefined) throw this.#closed.error;
      return;
    }
    const tail = new Tail(this.#parts.tailLimits ?? DEFAULT_TAIL_LIMITS);
    const onAbort = (): void => tail.end();
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#tails.add(tail);
    try {
      let items: readonly LogItem[] | undefined = this.#open.snapshot();
      while (items !== undefined) {
        const own = cursor.pass(items);
        if (left()) return;
        if (own.length > 0) yield own;
        if (cursor.ended) return;
        items = await tail.take();
      }
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#leave(tail);
    }
  }

  /** The next records from the store that readers have been given, behind the gap where the first of them are gone. */
  async #page(seen: number): Promise<LogItem[]> {
    const { sessionId, store, tailLimits = DEFAULT_TAIL_LIMITS } = this.#parts;
    // Not beyond what has been published: a record that is only in the store yet would overtake the previews before it.
    const published = this.#lastNumber;
    const limit = Math.min(BACKLOG_PAGE, published - seen);
    // A reader that stalls here holds its page: no more than may wait for it at the live end.
    const records = await store.readEvents(sessionId, seen, limit, tailLimits.maxBytes);
    const items: LogItem[] = [];
    const gap = gapBefore(seen, records[0]);
    if (gap !== undefined) items.push({ gap: { ...gap, to: Math.min(gap.to, published) } });
    for (const record of records) if (record.number <= published) items.push({ record });
    return items;
  }

  /** Ends the readers of now with `error`; those who come later find the log as it is. */
  cut(error: RoundhouseError): void {
    for (const tail of this.#tails) tail.end(error);
  }

  /** Ends every reader, with `error` if there is one. Later appends still work (a drain may end a turn); later reads end at once. */
  close(error?: RoundhouseError): void {
    this.#closed ??= { error };
    for (const tail of this.#tails) tail.end(this.#closed.error);
  }

  async #write(): Promise<void> {
    if (this.#writing) return;
    this.#writing = true;
    try {
      for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
        if ('previews' in next) this.#publishPreviews(next.turnId, next.previews);
        else await this.#writeRecords(next);
      }
    } finally {
      this.#writing = false;
    }
  }

  async #writeRecords(batch: Extract<Pending, { records: unknown }>): Promise<void> {
    const { sessionId, epoch, store } = this.#parts;
    const at = wallClockIso();
    const records = batch.records.map((record, index): EventRecord => ({
      ...record,
      number: this.#lastNumber + 1 + index,
      sessionId,
      at,
      type: record.body.type,
    }));
    const patch = batch.patch();
    try {
      await store.append(sessionId, epoch, records, patch, batch.mark);
    } catch (error) {
      batch.reject(asRoundhouseError(error, 'storage_failed'));
      return;
    }
    if (patch !== undefined) this.#parts.onPatched?.(patch);
    const shown = records.map(withoutGiven);
    for (const record of shown) this.#publishRecord(record);
    batch.resolve(shown);
  }

  #publishRecord(record: EventRecord): void {
    this.#lastNumber = record.number;
    this.#open.completeBlock(record.detail.modelMessageId, record.detail.blockIndex);
    if (record.type === 'span.model_request_end' || turnEndOf(record) !== undefined)
      this.#open.clear();
    this.#offer([{ record }]);
  }

  #publishPreviews(turnId: string, previews: readonly Preview[]): void {
    for (const preview of previews) this.#open.observe(turnId, preview);
    if (this.#tails.size > 0) this.#offer(previews.map((preview) => ({ turnId, preview })));
  }

  #offer(items: readonly LiveItem[]): void {
    if (this.#tails.size === 0) return;
    // Once for all readers: they share the items.
    let bytes = 0;
    for (const item of items) bytes += approximateBytes(item);
    for (const tail of this.#tails) {
      if (tail.offer(items, bytes)) continue;
      this.#leave(tail);
      this.#parts.telemetry.metrics.count('roundhouse_readers_cut_total');
      this.#parts.telemetry.log.warn('session_reader_cut', {
        id: this.#parts.sessionId,
        lastNumber: this.#lastNumber,
      });
    }
  }

  #leave(tail: Tail): void {
    if (this.#tails.delete(tail) && this.#tails.size === 0) this.#parts.onUnread?.();
  }
}

/** What the agent is given of files is no reader's, and would be held for the slowest of them. */
function withoutGiven(record: EventRecord): EventRecord {
  if (record.given === undefined) return record;
  const { given: _, ...shown } = record;
  return shown;
}
