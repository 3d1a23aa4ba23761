import { mergeOptions } from './agent-options.ts';
import type { ClientAnswer } from './awaited-answers.ts';
import type { Connection, Connector } from './connector.ts';
import { ContextUse, type ContextEstimate } from './context-use.ts';
import { Journal } from './journal.ts';
import { mergeLimits } from './limits.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';
import { isStartedWith, SessionLink, type Attachment } from './link.ts';
import type { PromptRequest } from './prompt-request.ts';
import { Refusal } from './refusal.ts';
import type { SessionInput, SubmitRequest } from './session-input.ts';
import { SessionBudget, type BudgetOf } from './session-budget.ts';
import { SessionTurns } from './session-turns.ts';
import { mayFollow, type SessionStatus } from './states.ts';
import type { StreamHandle, TurnPhase } from './stream-handle.ts';
import { Submissions } from './submissions.ts';
import { NOTHING_SPENT } from './turn-cost.ts';
import type { TurnStanding } from './turn-standing.ts';
import type { TurnStream } from './turn-stream.ts';
import type { Turn } from './turn.ts';
import type { AgentOptions } from '../contracts/agent-driver.ts';
import type { SessionRow, SessionStore } from '../contracts/session-store.ts';
import { RoundhouseError } from '../errors.ts';
import { newClientId } from '../events/ids.ts';
import type { LogItem } from '../events/preview.ts';
import type { EventRecord, PromptContent, SessionEvent } from '../events/record.ts';
import type { TailLimits } from '../log/tail.ts';
import { monotonicMs } from '../time/clock.ts';
import { unlessAborted } from '../time/deadline.ts';
import type { LogFields, Telemetry } from '../telemetry/telemetry.ts';

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
  /** The most that the session may cost; asked for at each look. Default: no bound. */
  readonly budgetOf?: BudgetOf;
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

/**
 * One session in memory, as its callers and the pool see it: it joins the turns, the log and the hold on a process, and has
 * the status that follows from them. At most one turn runs, and what it puts out reaches that turn's readers only. Made by
 * the pool; clients get it from `SessionPool.getSessionClient`.
 */
export class SessionClient {
  /** Of whoever asked for the session last, where a slot must be waited for; set by the pool. */
  priority = 0;
  readonly #parts: SessionClientParts;
  readonly #journal: Journal;
  readonly #link: SessionLink;
  readonly #context = new ContextUse();
  readonly #refusal = new Refusal();
  readonly #budget: SessionBudget | undefined;
  readonly #turns: SessionTurns;
  readonly #submissions: Submissions;
  #status: SessionStatus = 'disconnected';
  #errorCount = 0;
  #reused = false;

  constructor(parts: SessionClientParts) {
    this.#parts = parts;
    this.#journal = new Journal({ ...parts, onUnread: () => parts.onChange(this) });
    const onFailure = (): void => {
      this.#errorCount += 1;
    };
    const { budgetOf } = parts;
    this.#budget =
      budgetOf &&
      new SessionBudget({
        limitCents: () => budgetOf(this.row),
        used: () => this.row.usage,
      });
    this.#link = new SessionLink({
      sessionName: parts.row.name,
      connector: parts.connector,
      refusal: this.#refusal,
      request: () => ({
        row: this.row,
        options: this.#turns.nextOnProcess?.agentOptions ?? this.row.options,
        startMs: (this.#turns.nextOnProcess?.limits ?? this.limits).startMs,
        priority: this.priority,
        takeUp: this.#turns.takeUpRequest,
        transcriptRescued: () => this.#journal.patch({ staleTranscriptFolder: null }),
      }),
      transcriptStale: (folder) => void this.#journal.noteStaleTranscript(folder),
      needed: () => this.#turns.needsProcess,
      isTurnRunning: () => this.#turns.activity.running !== undefined,
      onFailure,
      onChange: (reason) => this.#onLinkChange(reason),
      telemetry: parts.telemetry,
    });
    this.#turns = new SessionTurns({
      journal: this.#journal,
      link: this.#link,
      context: this.#context,
      refusal: this.#refusal,
      maxQueuedTurns: parts.maxQueuedTurns,
      limits: () => this.limits,
      admitTurn: parts.admitTurn,
      budget: this.#budget,
      recycle: () => parts.recycle?.(this) === true,
      onChange: (reason) => this.#changed(reason),
      onRest: () => parts.onChange(this),
      onFailure,
      names: () => this.#names(),
      telemetry: parts.telemetry,
    });
    this.#submissions = new Submissions({
      sessionId: parts.row.id,
      store: parts.store,
      write: (inputs, mark) => this.#turns.submit(inputs, mark),
    });
    if (parts.row.archivedAt !== null) this.#refusal.begin(archived(parts.row));
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
    return this.#turns.busy;
  }

  /** Phase of the turn that runs or waits first; undefined when there is none. */
  get phase(): TurnPhase | undefined {
    return this.#turns.current?.phase;
  }

  /** Whether a turn waits for its client's answers, and for nothing else: it needs no process for that. */
  get awaitsClient(): boolean {
    return this.#turns.activity.awaitsClient;
  }

  /** The events of the calls that wait for the client's answer, in their order. */
  get awaitedAnswers(): readonly string[] {
    return this.awaitsClient ? (this.#turns.current?.asked.remaining ?? []) : [];
  }

  /** Prompts that wait behind the running one, or for a process. */
  get queuedTurns(): number {
    return this.#turns.queued;
  }

  /** Age of the attachment of the present process; 0 without one. */
  get ageSeconds(): number {
    const { attachment } = this.#link;
    return attachment === undefined ? 0 : (monotonicMs() - attachment.sinceMs) / 1000;
  }

  /** Time since the end of the last turn, or since the present one waits for its client; 0 while one runs or waits. */
  get idleSeconds(): number {
    return this.busy && !this.awaitsClient ? 0 : (monotonicMs() - this.restingSinceMs) / 1000;
  }

  /** Time that its agent has been at work, over the whole life of the session and until now; see {@link Turn.activeMs}. */
  get activeMs(): number {
    return this.row.activeMs + (this.#turns.activity.running?.activeMs ?? 0);
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
  prompt(content: PromptContent, request: PromptRequest = {}): Promise<StreamHandle> {
    return this.#turns.prompt(content, request);
  }

  /**
   * Takes everything that one request sends into the session: prompts, which run one after the other when their turn has
   * come, and interrupts. All of it is kept, in one write, or nothing. Resolves with the events that it has become, when
   * they are in the store and before anything of it is done. With a key, a request that is sent again within a day is
   * answered as it was, and not done again. Rejects as {@link SessionClient.prompt} does, with `idempotency_conflict`, or as
   * {@link SubmitRequest.complete} does.
   */
  submit(
    inputs: readonly SessionInput[],
    request: SubmitRequest = {},
  ): Promise<readonly SessionEvent[]> {
    return this.#submissions.submit(inputs, request);
  }

  /** Takes up a prompt that an earlier host accepted and never delivered. Undefined, and nothing happens, in a shutdown. */
  resumePrompt(prompt: EventRecord): StreamHandle | undefined {
    return this.#turns.resumePrompt(prompt);
  }

  /** Takes up a turn that an earlier host left waiting for its client, or with answers that came to nothing. */
  resumeWaiting(prompt: EventRecord, standing: TurnStanding): void {
    this.#turns.resumeWaiting(prompt, standing);
  }

  /**
   * Answers calls that wait for leave, in any order, together or one after the other. Resolves when the answers are in the
   * store: from then on they survive a crash. The turn goes on when no call is left without one. Rejects, and nothing is
   * kept, with `invalid_request` for what is not awaited or answered already, `draining`, `session_ended` or
   * `storage_failed`.
   */
  answer(answers: readonly ClientAnswer[]): Promise<void> {
    return this.#turns.answer(answers);
  }

  /**
   * Interrupts the turn that runs, or withdraws the prompt that waits first. Resolves when that turn has ended: true, or
   * false when there was nothing to interrupt. The conversation goes on.
   */
  interrupt(): Promise<boolean> {
    return this.#turns.interrupt();
  }

  /**
   * Appends a record that belongs to no turn, and replaces the options, together: the next turn has them. Rejects with
   * `storage_failed`, `session_moved`, or why the session ends; then nothing was kept.
   */
  async update(body: SessionEvent | undefined, options: AgentOptions | undefined): Promise<void> {
    const records = body === undefined ? [] : [{ turnId: null, body, detail: {} }];
    try {
      await this.#journal.append(records, () => (options === undefined ? {} : { options }));
    } catch (error) {
      throw this.#refusal.whyNotWritten(error);
    }
  }

  /**
   * Takes no prompts from now on, for good: `session_archived`. What waits for its client ends, and so does the process; the
   * session can still be read. Rejects with `session_busy` while a turn runs or waits to, and as {@link SessionClient.update}.
   */
  async archive(at: string): Promise<void> {
    const { row, phase } = this;
    if (row.archivedAt !== null) return;
    if (phase !== undefined && phase !== 'awaiting-client') {
      throw new RoundhouseError(
        'session_busy',
        `Session ${this.name} is running a turn and can't be archived; interrupt it, or wait for its end.`,
      );
    }
    try {
      await this.#journal.patch({ archivedAt: at });
    } catch (error) {
      throw this.#refusal.whyNotWritten(error);
    }
    this.#refusal.begin(archived(this.row));
    // What waited for its client, and whatever came while that was written.
    while (this.busy) await this.interrupt();
    await this.disconnect('archived');
  }

  /** Every record after a number, then what happens, until the signal aborts or the session leaves memory. */
  read(options: { after: number; signal?: AbortSignal }): AsyncIterable<LogItem> {
    return this.#journal.log.read(options);
  }

  /** The same in batches of what is there at once, none of them empty. */
  readBatches(options: { after: number; signal?: AbortSignal }): AsyncIterable<readonly LogItem[]> {
    return this.#journal.log.readBatches(options);
  }

  // ---- For the pool ----

  /** Readers that follow the session now. */
  get readerCount(): number {
    return this.#journal.log.readerCount;
  }

  /** When the last turn ended, or the session got its process or came into memory after that; on the monotonic clock. */
  get restingSinceMs(): number {
    return this.#turns.activity.restingSinceMs;
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
      throw this.#refusal.whyNotWritten(error);
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
  waitForInterrupt(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#turns.activity.interruption?.wait(timeoutMs, signal) ?? Promise.resolve(true);
  }

  /** Destroys the process of an interrupt that does not come to its end. Resolves when the turn has ended. */
  abandonInterrupt(signal?: AbortSignal): Promise<void> {
    return this.#turns.activity.interruption?.abandon(signal) ?? Promise.resolve();
  }

  /** The turn that is on its way, if it is not being interrupted, for S7 to S9. */
  get uninterruptedTurn(): Turn | undefined {
    return this.#turns.activity.uninterrupted;
  }

  /** The stream of the turn that runs, or of the last one since the session was given out (S7, S10, S11). */
  get stream(): TurnStream | undefined {
    return this.#turns.stream;
  }

  /** Forgets the stream of the last turn. Its readers keep what they have. */
  clearStream(): void {
    this.#turns.clearStream();
  }

  /**
   * Resolves when a process is attached, or a turn is under way; undefined when that is so already. A session that has
   * nothing left of its budget gets none: its prompts end without one. See {@link SessionLink.ensureAttached}.
   */
  ensureConnected(signal?: AbortSignal): Promise<void> | undefined {
    if (this.#refusal.error === undefined && this.#link.isReady) return undefined;
    // It has a process when its turn goes on; until then one would have nothing to do.
    if (this.#refusal.error === undefined && this.#turns.activity.suspended !== undefined)
      return undefined;
    return this.#connected(signal);
  }

  async #connected(signal: AbortSignal | undefined): Promise<void> {
    this.#refusal.throwIfBegun();
    if (this.#budget !== undefined) {
      const cause = await unlessAborted(this.#budget.stops(NOTHING_SPENT), signal);
      if (cause !== undefined) return;
      // It may have been archived meanwhile.
      this.#refusal.throwIfBegun();
    }
    try {
      await this.#link.ensureAttached(signal);
    } catch (error) {
      // Why the session ends says more than that its link has ended.
      throw signal?.aborted === true ? error : (this.#refusal.error ?? error);
    }
  }

  /** Brings a process back in the background, if that makes nobody wait. Never rejects. */
  warmIfFree(): void {
    const { suspended } = this.#turns.activity;
    if (this.#refusal.error === undefined && suspended === undefined) this.#link.attachIfFree();
  }

  /**
   * Takes the process while no turn runs; the session stays, and turns that wait get another when they need one. Where the
   * session refuses, nobody needs one: a start that is under way is given up. Resolves when it is gone.
   */
  async disconnect(reason: string): Promise<void> {
    if (this.#turns.activity.running !== undefined) return;
    const { error } = this.#refusal;
    await (error === undefined ? this.#link.release(reason) : this.#link.vacate(error));
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
    this.#refusal.begin(error);
  }

  /** Settles when no turn runs. */
  async quiet(): Promise<void> {
    while (this.#turns.activity.running !== undefined) await this.#turns.activity.running.ended;
  }

  /**
   * Ends the session's life in memory: the running turn is stopped with `error`, within the interrupt's deadline, then the
   * process goes, then the readers. May be called twice.
   */
  async end(error: RoundhouseError): Promise<void> {
    this.refusePrompts(error);
    if (this.#turns.activity.running !== undefined)
      await this.#turns.stop(this.#turns.activity.running, error);
    await this.#link.end(error);
    this.#turns.endWaiting(error);
    await this.#journal.settle();
    this.#journal.log.close(error);
  }

  // ---- State ----

  #onLinkChange(reason: string): void {
    if (this.#link.status === 'attached') this.#reused = false;
    this.#turns.followLink();
    this.#changed(reason);
    this.#turns.advance();
  }

  /** The one place where the status changes; it follows from the link and from what the process is doing. */
  #changed(reason: string): void {
    const from = this.#status;
    const link = this.#link.status;
    const { name } = this.#turns.activity;
    const attached = name === 'active' || name === 'interrupting' ? name : 'idle';
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

  #names(): LogFields {
    return { sessionId: this.name, id: this.id, clientId: this.clientId };
  }
}

function archived({ name, archivedAt }: Pick<SessionRow, 'name' | 'archivedAt'>): RoundhouseError {
  return new RoundhouseError(
    'session_archived',
    `Session ${name} was archived at ${archivedAt} and takes no more events; create another one.`,
  );
}
