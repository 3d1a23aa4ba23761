import { mergeOptions } from './agent-options.ts';
import type { Connection, Connector } from './connector.ts';
import { ContextUse, type ContextEstimate } from './context-use.ts';
import { Journal } from './journal.ts';
import { checkedLimits, mergeLimits, type TurnLimits } from './limits.ts';
import { isStartedWith, SessionLink, type Attachment } from './link.ts';
import { mayFollow, type SessionStatus } from './states.ts';
import {
  ABANDONED,
  endBy,
  INTERRUPTED_BY_CLIENT,
  isWish,
  limitCause,
  WITHDRAWN,
  type StopCause,
} from './stop-cause.ts';
import type { StreamHandle, TurnPhase } from './stream-handle.ts';
import { driveTurn, type TurnOutcome } from './turn-driver.ts';
import { deliveredRecord, effectiveEnd, interruptRecord, promptRecord } from './turn-records.ts';
import { TurnStream, type WhenUnread } from './turn-stream.ts';
import { Turn, type InterruptFailure } from './turn.ts';
import type { AgentOptions } from '../contracts/agent-driver.ts';
import type { SessionRow, SessionStore } from '../contracts/session-store.ts';
import { asRoundhouseError, errorText, RoundhouseError } from '../errors.ts';
import { newClientId } from '../events/ids.ts';
import type { LogItem } from '../events/preview.ts';
import type { EventRecord, PromptContent, TurnEnd } from '../events/record.ts';
import type { TailLimits } from '../log/tail.ts';
import { monotonicMs, wallClockIso } from '../time/clock.ts';
import { unlessAborted, withinDeadline } from '../time/deadline.ts';
import { after, type Timer } from '../time/timers.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** What a session in memory works with. */
export interface SessionClientParts {
  readonly row: SessionRow;
  readonly lastNumber: number;
  readonly store: SessionStore;
  readonly connector: Connector;
  /** Limits of its turns, where the session has none of its own. */
  readonly limits: TurnLimits;
  readonly maxQueuedTurns: number;
  /** Notes one more turn of the tenant, and gives back how to say that it has ended. Throws when there are too many. */
  readonly admitTurn?: () => () => void;
  /** A process that was prepared for this session before it existed. */
  readonly spare?: Connection;
  readonly tailLimits?: TailLimits;
  readonly telemetry: Telemetry;
  /** Called after every change of {@link SessionClient.status}, and when nobody needs the session: at rest, or unread. */
  readonly onChange: (client: SessionClient) => void;
  /**
   * Called before a further turn on the same process. True when that is being taken first; the turn comes when another one
   * is attached. Default: never.
   */
  readonly recycle?: (client: SessionClient) => boolean;
}

export interface PromptRequest {
  /** The model of this turn only. */
  readonly model?: string;
  /** What to do while a turn runs: wait behind it (default), or refuse with `session_busy`. */
  readonly onBusy?: 'queue' | 'reject';
  /** What happens when the last reader leaves before the end. Default: the turn goes on. */
  readonly whenUnread?: WhenUnread;
  /** Withdraws the prompt while it has not been delivered. Afterwards use the handle's `interrupt`. */
  readonly signal?: AbortSignal;
  /** Limits of this turn, within the bounds of `pool.limits`; the rest is the session's. */
  readonly limits?: Partial<TurnLimits>;
}

/** Figures of a session since it came into memory, except where they say otherwise. */
export interface SessionMetrics {
  /** Age of the attachment of the present process; 0 without one. */
  readonly ageSeconds: number;
  /** Time since the end of the last turn; 0 while one runs or waits. */
  readonly idleSeconds: number;
  /** Prompts over the whole life of the session. */
  readonly messageCount: number;
  readonly errorCount: number;
  /** Whether the session was given out before with the same attachment. */
  readonly reused: boolean;
}

/** What the attached process is doing. `resting.stream`: of the last turn, until it is cleared. */
type Activity =
  | { readonly name: 'resting'; stream: TurnStream | undefined }
  | { readonly name: 'active'; readonly turn: Turn }
  | { readonly name: 'interrupting'; readonly turn: Turn; readonly deadline: Timer };

/**
 * One session in memory: its turns, its log, and its hold on a process. At most one turn runs, and what it puts out reaches
 * that turn's readers only. Made by the pool; clients get it from `SessionPool.getSessionClient`.
 */
export class SessionClient {
  /** Of whoever asked for the session last, where a slot must be waited for; set by the pool. */
  priority = 0;
  readonly #parts: SessionClientParts;
  readonly #journal: Journal;
  readonly #link: SessionLink;
  readonly #context = new ContextUse();
  readonly #queue: Turn[] = [];
  readonly #streams = new Map<Turn, TurnStream>();
  #activity: Activity = { name: 'resting', stream: undefined };
  /** The prompt that a process is being awaited for. */
  #connectingFor: Turn | undefined;
  #status: SessionStatus = 'disconnected';
  #restingSinceMs = monotonicMs();
  #errorCount = 0;
  #reused = false;
  #refusal: RoundhouseError | undefined;

  constructor(parts: SessionClientParts) {
    this.#parts = parts;
    this.#journal = new Journal({ ...parts, onUnread: () => parts.onChange(this) });
    this.#link = new SessionLink({
      sessionName: parts.row.name,
      connector: parts.connector,
      request: () => ({
        row: this.row,
        options: this.#queue[0]?.agentOptions ?? this.row.options,
        startMs: (this.#queue[0]?.limits ?? this.limits).startMs,
        priority: this.priority,
        transcriptRescued: () => this.#journal.patch({ staleTranscriptFolder: null }),
      }),
      transcriptStale: (folder) => void this.#journal.noteStaleTranscript(folder),
      needed: () => this.#queue.length > 0,
      isTurnRunning: () => this.#runningTurn !== undefined,
      onFailure: () => {
        this.#errorCount += 1;
      },
      onChange: (reason) => this.#onLinkChange(reason),
      telemetry: parts.telemetry,
    });
    if (parts.spare !== undefined) this.#link.adopt(parts.spare, this.row.options);
  }

  /** Our id of the session, `sesn_…`. */
  get id(): string {
    return this.row.id;
  }

  /** The caller's name of it. */
  get name(): string {
    return this.row.name;
  }

  get tenant(): string {
    return this.row.tenant;
  }

  /** The session as it stands in the store. */
  get row(): SessionRow {
    return this.#journal.row;
  }

  get status(): SessionStatus {
    return this.#status;
  }

  /** The present attachment; null without a process. */
  get clientId(): string | null {
    return this.#link.attachment?.clientId ?? null;
  }

  /** Limits of its turns: its own, and for the rest the host's. A turn may have its own on top. */
  get limits(): TurnLimits {
    return { ...this.#parts.limits, ...this.row.limits };
  }

  /** Whether a turn runs or waits. */
  get busy(): boolean {
    return this.#queue.length > 0 || this.#runningTurn !== undefined;
  }

  /** Phase of the turn that runs or waits first; undefined when there is none. */
  get phase(): TurnPhase | undefined {
    return (this.#runningTurn ?? this.#queue[0])?.phase;
  }

  /** Prompts that wait behind the running one, or for a process. */
  get queuedTurns(): number {
    return this.#queue.length;
  }

  /** Age of the attachment of the present process; 0 without one. */
  get ageSeconds(): number {
    const { attachment } = this.#link;
    return attachment === undefined ? 0 : (monotonicMs() - attachment.sinceMs) / 1000;
  }

  /** Time since the end of the last turn; 0 while one runs or waits. */
  get idleSeconds(): number {
    return this.busy ? 0 : (monotonicMs() - this.#restingSinceMs) / 1000;
  }

  get metrics(): SessionMetrics {
    return {
      ageSeconds: this.ageSeconds,
      idleSeconds: this.idleSeconds,
      messageCount: this.row.turnCount,
      errorCount: this.#errorCount,
      reused: this.#reused,
    };
  }

  /**
   * Prompts the session. Resolves when the prompt is in the store: from then on it survives a crash, and the handle shows
   * its turn to the end. Rejects with `invalid_request`, `session_busy`, `queue_full`, `draining`, `session_ended` or
   * `storage_failed`; then nothing was kept.
   */
  async prompt(content: PromptContent, request: PromptRequest = {}): Promise<StreamHandle> {
    this.#refuseImpossible(content, request);
    const limits = checkedLimits(request.limits);
    const turnOver = this.#parts.admitTurn?.();
    const turn = this.#newTurn(content, { ...request, limits });
    if (turnOver !== undefined) void turn.ended.then(turnOver);
    // From here on the session is busy: it can't be evicted, and later prompts stand behind this one.
    this.#queue.push(turn);
    const options = request.model === undefined ? {} : { model: request.model };
    try {
      const [record] = await this.#journal.append(
        [promptRecord(turn.id, content, options)],
        (row) => ({ turnCount: row.turnCount + 1, lastActiveAt: wallClockIso() }),
      );
      return this.#admit(turn, record?.number ?? this.#journal.log.lastNumber, request);
    } catch (error) {
      const failure = this.#whyNotWritten(error);
      this.#removeFromQueue(turn);
      turn.finish(endBy(failure));
      this.#advance();
      if (!this.busy) this.#parts.onChange(this);
      throw failure;
    }
  }

  /** Takes up a prompt that an earlier host accepted and never delivered. Undefined, and nothing happens, in a shutdown. */
  resumePrompt(prompt: EventRecord): StreamHandle | undefined {
    if (this.#refusal !== undefined) return undefined;
    if (prompt.body.type !== 'user.message' || prompt.turnId === null) return undefined;
    const { model } = prompt.detail.prompt ?? {};
    const recovered = { turnId: prompt.turnId, number: prompt.number };
    const turn = this.#newTurn(
      prompt.body.content,
      model === undefined ? {} : { model },
      recovered,
    );
    this.#queue.push(turn);
    return this.#admit(turn, prompt.number, {});
  }

  /**
   * Interrupts the turn that runs, or withdraws the prompt that waits first. Resolves when that turn has ended: true, or
   * false when there was nothing to interrupt. The conversation goes on.
   */
  async interrupt(): Promise<boolean> {
    const turn = this.#runningTurn ?? this.#queue[0];
    if (turn === undefined) return false;
    try {
      await this.#journal.append([interruptRecord(turn.id)]);
    } catch (error) {
      // A store that fails must not keep a turn from being stopped; the record is only the wish.
      const { log } = this.#parts.telemetry;
      log.warn('session_interrupt_not_stored', { ...this.#names(), error: errorText(error) });
    }
    return this.#stopTurn(turn, INTERRUPTED_BY_CLIENT);
  }

  /** Every record after a number, then what happens, until the signal aborts or the session leaves memory. */
  read(options: { after: number; signal?: AbortSignal }): AsyncIterable<LogItem> {
    return this.#journal.log.read(options);
  }

  // ---- For the pool ----

  /** Readers that follow the session now. */
  get readerCount(): number {
    return this.#journal.log.readerCount;
  }

  /** When the last turn ended, or the session got its process or came into memory after that; on the monotonic clock. */
  get restingSinceMs(): number {
    return this.#restingSinceMs;
  }

  /** The number of the last record. */
  get lastNumber(): number {
    return this.#journal.log.lastNumber;
  }

  /** False when the process has failed, or could not be started. A session without a process is healthy. */
  get healthy(): boolean {
    const { attachment } = this.#link;
    return attachment === undefined
      ? this.#status !== 'error'
      : attachment.connection.process.alive;
  }

  /** Turns that the present process has begun; 0 without a process. */
  get turnsOfProcess(): number {
    return this.#link.attachment?.turns ?? 0;
  }

  /** Whether the attached process was started with other options than the session now has. */
  get optionsChanged(): boolean {
    const { attachment } = this.#link;
    return attachment !== undefined && !isStartedWith(attachment, this.row.options);
  }

  /** What the model would have to read again of the conversation; see {@link ContextUse.estimate}. */
  get context(): ContextEstimate {
    return this.#context.estimate(this.row);
  }

  /** A number from 0 to 1, the attached process's own for as long as it stays; 0 without one. */
  get lot(): number {
    return this.#link.attachment?.lot ?? 0;
  }

  /** Memory of the process in bytes, measured now; undefined without one, or where it can't be told. */
  async memoryBytes(): Promise<number | undefined> {
    const { attachment } = this.#link;
    if (attachment === undefined) return undefined;
    const bytes = await attachment.connection.process.memoryBytes();
    attachment.memoryBytes = bytes ?? attachment.memoryBytes;
    return bytes;
  }

  /** What the last {@link SessionClient.memoryBytes} of this process said. */
  get lastMemoryBytes(): number | undefined {
    return this.#link.attachment?.memoryBytes;
  }

  /** Makes the process's first answer faster, if it has not given one yet. Never rejects. */
  async warmUp(): Promise<void> {
    await this.#link.attachment?.connection.process.warmUp?.();
  }

  /**
   * Lays options and limits over the session's. The next prompt has them: the model and the limits on the same process,
   * options that can't change live in a new process by resume. Undefined when nothing changes. Rejects with `storage_failed`,
   * `session_moved`, or why the session ends.
   */
  change(
    agent: AgentOptions | undefined,
    limits: Partial<TurnLimits> | undefined,
  ): Promise<void> | undefined {
    const { row } = this;
    const options = mergeOptions(row.options, agent);
    const limited = mergeLimits(row.limits, limits);
    if (options === row.options && limited === row.limits) return undefined;
    const patch = {
      ...(options !== row.options && { options }),
      ...(limited !== row.limits && { limits: limited }),
    };
    return this.#journal.patch(patch).catch((error: unknown) => {
      throw this.#whyNotWritten(error);
    });
  }

  /** The session is given out again on the same attachment, or after a recovery. */
  markReused(): void {
    this.#reused = true;
  }

  /** The attachment gets a new client id on the same process (S6). */
  renewClientId(): void {
    const { attachment } = this.#link;
    if (attachment !== undefined) attachment.clientId = newClientId();
  }

  /**
   * Waits at most `timeoutMs` for a running interrupt. False when it is not over by then, or was over only because its own
   * deadline had passed and the process was destroyed. Aborting `signal` gives up the wait.
   */
  async waitForInterrupt(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#activity.name !== 'interrupting') return true;
    const { turn } = this.#activity;
    const { timedOut } = await withinDeadline(unlessAborted(turn.ended, signal), timeoutMs);
    return !timedOut && turn.interruptFailure === undefined;
  }

  /** Destroys the process of an interrupt that does not come to its end. Resolves when the turn has ended. */
  async abandonInterrupt(signal?: AbortSignal): Promise<void> {
    if (this.#activity.name !== 'interrupting') return;
    const { turn } = this.#activity;
    void this.#link.attachment?.connection.process.destroy('interrupt timed out');
    await unlessAborted(turn.ended, signal);
  }

  /** The turn that runs and is not being interrupted, for S7 to S9. */
  get activeTurn(): Turn | undefined {
    return this.#activity.name === 'active' ? this.#activity.turn : undefined;
  }

  /** The stream of the turn that runs, or of the last one since the session was given out (S7, S10, S11). */
  get stream(): TurnStream | undefined {
    return this.#activity.name === 'resting'
      ? this.#activity.stream
      : this.#streams.get(this.#activity.turn);
  }

  /** Forgets the stream of the last turn. Its readers keep what they have. */
  clearStream(): void {
    if (this.#activity.name === 'resting') this.#activity.stream = undefined;
  }

  /**
   * Resolves when a process is attached, or a turn is under way; undefined when that is so already. See
   * {@link SessionLink.ensureAttached}.
   */
  ensureConnected(signal?: AbortSignal): Promise<void> | undefined {
    if (this.#refusal === undefined && this.#link.isReady) return undefined;
    return this.#connected(signal);
  }

  async #connected(signal: AbortSignal | undefined): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal;
    try {
      await this.#link.ensureAttached(signal);
    } catch (error) {
      // Why the session ends says more than that its link has ended.
      throw signal?.aborted === true ? error : (this.#refusal ?? error);
    }
  }

  /** Brings a process back in the background, if that makes nobody wait. Never rejects. */
  warmIfFree(): void {
    if (this.#refusal === undefined) this.#link.attachIfFree();
  }

  /** Takes the process while no turn runs; the session stays, and prompts that wait get another. Resolves when it is gone. */
  async disconnect(reason: string): Promise<void> {
    if (this.#runningTurn === undefined) await this.#link.release(reason);
  }

  /** Hands over a process that has run nothing yet, and ends the hold on it. See {@link SessionLink.surrender}. */
  surrender(): Attachment | undefined {
    return this.busy || this.optionsChanged ? undefined : this.#link.surrender('withdrawn');
  }

  /** Writes what the store would not take before, the end of a turn say, if it takes it now. Never rejects. */
  settle(): Promise<void> {
    return this.#journal.settle();
  }

  /** Refuses prompts from now on. Those that wait stay in the store for the next host; their readers get the error. */
  refusePrompts(error: RoundhouseError): void {
    this.#refusal ??= error;
  }

  /** Settles when no turn runs. */
  async quiet(): Promise<void> {
    while (this.#runningTurn !== undefined) await this.#runningTurn.ended;
  }

  /**
   * Ends the session's life in memory: the running turn is stopped with `error`, within the interrupt's deadline, then the
   * process goes, then the readers. May be called twice.
   */
  async end(error: RoundhouseError): Promise<void> {
    this.refusePrompts(error);
    if (this.#runningTurn !== undefined) await this.#stopTurn(this.#runningTurn, error);
    await this.#link.end(error);
    for (const turn of this.#queue.splice(0)) turn.finish(endBy(error));
    await this.#journal.settle();
    this.#journal.log.close(error);
  }

  // ---- Turns ----

  get #runningTurn(): Turn | undefined {
    return this.#activity.name === 'resting' ? undefined : this.#activity.turn;
  }

  #refuseImpossible(content: PromptContent, request: PromptRequest): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    request.signal?.throwIfAborted();
    if (content.length === 0) {
      throw new RoundhouseError(
        'invalid_request',
        'The prompt is empty: expected at least one content block.',
      );
    }
    if (request.onBusy === 'reject' && this.busy) {
      const message = `Session ${this.name} is running a turn; retry when it has ended, or let the prompt queue.`;
      throw new RoundhouseError('session_busy', message);
    }
    // The limit is for those behind a running turn, or behind the one that waits for a process.
    const behind = this.#runningTurn === undefined ? this.#queue.length - 1 : this.#queue.length;
    if (behind >= this.#parts.maxQueuedTurns) {
      const message = `Session ${this.name} has ${this.#parts.maxQueuedTurns} prompts waiting, which is the limit; retry later.`;
      throw new RoundhouseError('queue_full', message, { retryAfterSeconds: 1 });
    }
  }

  /** The store does not know a session that was deleted meanwhile; why it ended says more than that. */
  #whyNotWritten(error: unknown): RoundhouseError {
    const failure = asRoundhouseError(error, 'storage_failed');
    return failure.code === 'session_not_found' ? (this.#refusal ?? failure) : failure;
  }

  #newTurn(
    content: PromptContent,
    request: { readonly model?: string; readonly limits?: Partial<TurnLimits> | undefined },
    recovered?: { turnId: string; number: number },
  ): Turn {
    return new Turn({
      content,
      model: request.model,
      agentOptions: this.row.options,
      limits: { ...this.limits, ...request.limits },
      telemetry: this.#parts.telemetry,
      onLimit: (turn, phase) => this.#onLimit(turn, phase),
      ...(recovered !== undefined && { recovered }),
    });
  }

  /** The prompt is in the store: its handle, and its place in the queue. */
  #admit(turn: Turn, number: number, request: PromptRequest): StreamHandle {
    turn.recorded(number);
    const stream = new TurnStream({
      turn,
      firstNumber: number,
      log: this.#journal.log,
      whenUnread: request.whenUnread ?? { policy: 'continue' },
      interrupt: (target) => this.#stopTurn(target, INTERRUPTED_BY_CLIENT),
      onAbandoned: (target) => void this.#stopTurn(target, ABANDONED),
    });
    this.#streams.set(turn, stream);
    const withdraw = (): void => {
      if (this.#queue.includes(turn)) void this.#stopTurn(turn, WITHDRAWN);
    };
    request.signal?.addEventListener('abort', withdraw, { once: true });
    void turn.ended.then(() => {
      this.#streams.delete(turn);
      request.signal?.removeEventListener('abort', withdraw);
    });
    // It may have been stopped, by a limit or by its caller, while it was being recorded.
    if (request.signal?.aborted === true) withdraw();
    else if (turn.cause !== undefined) void this.#endUndelivered(turn, turn.cause);
    this.#advance();
    return stream;
  }

  /** Takes the next step for the first prompt that waits, if there is one to take. */
  #advance(): void {
    const turn = this.#queue[0];
    if (turn === undefined || turn.number === undefined || turn.cause !== undefined) return;
    if (this.#refusal !== undefined || this.#runningTurn !== undefined) return;
    const { attachment } = this.#link;
    if (attachment === undefined) {
      // A connect that fails is told here first; what becomes of the turn is for the one who waits for that connect.
      if (this.#connectingFor === turn) return;
      if (this.#link.status === 'disconnected' || this.#link.status === 'error')
        void this.#connectFor(turn);
    } else if (!isStartedWith(attachment, turn.agentOptions)) {
      void this.#link.release('options_changed');
    } else if (attachment.connection.process.alive) {
      if (attachment.turns > 0 && this.#parts.recycle?.(this) === true) return;
      void this.#run(turn, attachment);
    }
  }

  async #connectFor(turn: Turn): Promise<void> {
    this.#connectingFor = turn;
    turn.starting();
    try {
      await this.#link.ensureAttached();
    } catch (error) {
      // In a shutdown the prompt stays in the store, undelivered, for the next host.
      if (this.#refusal === undefined)
        await this.#endUndelivered(turn, asRoundhouseError(error, 'session_connection_failed'));
    }
    if (this.#connectingFor === turn) this.#connectingFor = undefined;
    this.#advance();
  }

  async #run(turn: Turn, attachment: Attachment): Promise<void> {
    this.#queue.shift();
    attachment.turns += 1;
    this.#setActivity({ name: 'active', turn }, 'prompt');
    const outcome = await this.#deliver(turn, attachment).catch((error: unknown): TurnOutcome => ({
      end: endBy(asRoundhouseError(error)),
      usable: attachment.connection.process.alive,
    }));
    const end = effectiveEnd(outcome.end, turn.cause);
    if (end.reason === 'failed') this.#errorCount += 1;
    await this.#journal.appendEnd(turn, end, true);
    // Looked at again: it may have died while the end was being written, when its end was still the turn's to see.
    this.#leave(turn, outcome.usable && attachment.connection.process.alive);
    this.#finish(turn, end);
  }

  async #deliver(turn: Turn, attachment: Attachment): Promise<TurnOutcome> {
    await this.#journal.append([deliveredRecord(turn.id, attachment.clientId)]);
    // Stopped while that was being written: the process never sees the prompt.
    if (turn.cause !== undefined) return { end: endBy(turn.cause, 'interrupted'), usable: true };
    return driveTurn({
      turn,
      attachment,
      journal: this.#journal,
      context: this.#context,
      telemetry: this.#parts.telemetry,
      stop: (cause) => void this.#stopTurn(turn, cause),
    });
  }

  /** The running turn is over. What comes next depends on what is left of the process. */
  #leave(turn: Turn, usable: boolean): void {
    this.#restingSinceMs = monotonicMs();
    if (this.#activity.name === 'interrupting') this.#activity.deadline.cancel();
    this.#activity = { name: 'resting', stream: this.#streams.get(turn) };
    if (usable) this.#changed('turn_ended');
    else void this.#link.drop(turn.cause?.code ?? 'process_ended', turn.cause === undefined);
  }

  /** Ends a prompt that no process has seen. */
  async #endUndelivered(turn: Turn, cause: StopCause): Promise<void> {
    if (!this.#removeFromQueue(turn)) return;
    turn.stop(cause);
    const end = endBy(cause, isWish(cause) ? 'cancelled' : 'failed');
    this.#link.giveUpUnneeded();
    await this.#journal.appendEnd(turn, end, false);
    this.#finish(turn, end);
  }

  #finish(turn: Turn, end: TurnEnd): void {
    turn.finish(end);
    this.#parts.telemetry.log.info('session_turn_ended', {
      ...this.#names(),
      turnId: turn.id,
      reason: end.reason,
      code: end.error?.code,
      seconds: (monotonicMs() - turn.acceptedAtMs) / 1000,
    });
    this.#advance();
    if (!this.busy) this.#parts.onChange(this);
  }

  /** Stops a turn, wherever it stands. Resolves when it has ended: false when it had ended before. */
  async #stopTurn(turn: Turn, cause: StopCause): Promise<boolean> {
    if (turn.end !== undefined) return false;
    const first = turn.stop(cause);
    if (first && this.#queue.includes(turn)) {
      // Without a number it is still being recorded; then it ends as soon as it is.
      if (turn.number !== undefined) await this.#endUndelivered(turn, cause);
    } else if (first && this.#activity.name === 'active' && this.#activity.turn === turn) {
      this.#interruptRunning(turn, cause);
    }
    await turn.ended;
    return true;
  }

  #interruptRunning(turn: Turn, cause: StopCause): void {
    const process = this.#link.attachment?.connection.process;
    if (process === undefined) return;
    if (cause.code === 'first_message_timeout') {
      // The process does not listen: there is nobody to interrupt. It is replaced.
      void process.destroy(cause.code);
      return;
    }
    const { interruptMs } = turn.limits;
    const fail = (failure: InterruptFailure, reason: string): void => {
      turn.interruptFailed(failure);
      const { log } = this.#parts.telemetry;
      log.warn('session_interrupt_failed', { ...this.#names(), ...failure, interruptMs });
      void process.destroy(reason);
    };
    const deadline = after(interruptMs, () =>
      fail(
        { error: `not over within ${interruptMs} ms`, errorType: 'Timeout' },
        'interrupt timed out',
      ),
    );
    this.#setActivity({ name: 'interrupting', turn, deadline }, cause.code);
    process.interrupt().catch((error: unknown) => {
      const errorType = error instanceof Error ? error.name : typeof error;
      fail({ error: errorText(error), errorType }, 'interrupt failed');
    });
  }

  #onLimit(turn: Turn, phase: TurnPhase): void {
    const { log } = this.#parts.telemetry;
    const fields = { ...this.#names(), turnId: turn.id, phase, idleSeconds: turn.idleMs / 1000 };
    const interrupts = phase !== 'awaiting-first-message' && phase !== 'queued';
    if (phase === 'awaiting-first-message') log.warn('session_pool_first_chunk_timeout', fields);
    else if (interrupts) log.warn('session_pool_interrupting_ongoing_timeout', fields);
    void this.#stopTurn(turn, limitCause(phase, turn.limits)).then(() => {
      if (!interrupts) return;
      const { interruptFailure: failure } = turn;
      if (failure !== undefined)
        log.warn('session_pool_interrupt_ongoing_failed', { ...fields, ...failure });
      else if (turn.end?.reason === 'failed')
        log.debug?.('session_pool_interrupted_ongoing_timeout', fields);
      else log.debug?.('session_pool_interrupt_ongoing_not_needed', fields);
    });
  }

  #removeFromQueue(turn: Turn): boolean {
    const place = this.#queue.indexOf(turn);
    if (place < 0) return false;
    this.#queue.splice(place, 1);
    return true;
  }

  // ---- State ----

  #setActivity(activity: Activity, reason: string): void {
    this.#activity = activity;
    this.#changed(reason);
  }

  #onLinkChange(reason: string): void {
    const link = this.#link.status;
    if (link === 'attached') {
      this.#reused = false;
      this.#restingSinceMs = monotonicMs();
    }
    // The last turn's stream goes with its process: thousands of sessions may rest without one.
    if (link === 'attached' || link === 'disconnected')
      this.#activity = { name: 'resting', stream: undefined };
    this.#changed(reason);
    this.#advance();
  }

  /** The one place where the status changes; it follows from the link and from what the process is doing. */
  #changed(reason: string): void {
    const from = this.#status;
    const link = this.#link.status;
    const attached = this.#activity.name === 'resting' ? 'idle' : this.#activity.name;
    const to = link === 'attached' ? attached : link;
    if (from === to) return;
    if (!mayFollow(from, to))
      throw new RoundhouseError(
        'internal',
        `A session can't go from ${from} to ${to} (${reason}).`,
      );
    this.#status = to;
    this.#parts.telemetry.log.debug?.('session_state_changed', {
      ...this.#names(),
      from,
      to,
      reason,
    });
    this.#parts.onChange(this);
  }

  #names(): Record<string, unknown> {
    return { sessionId: this.name, id: this.id, clientId: this.clientId };
  }
}
