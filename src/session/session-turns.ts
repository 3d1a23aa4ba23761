import { Activity, type ActivityView } from './activity.ts';
import type { ClientAnswer } from './awaited-answers.ts';
import { ClientWait } from './client-wait.ts';
import type { TakeUpRequest } from './connector.ts';
import type { ContextUse } from './context-use.ts';
import type { Journal } from './journal.ts';
import type { Attachment, SessionLink } from './link.ts';
import type { PromptRequest } from './prompt-request.ts';
import type { Refusal } from './refusal.ts';
import type { SessionBudget } from './session-budget.ts';
import type { PlannedInput } from './session-input.ts';
import { endBy, INTERRUPTED_BY_CLIENT, type StopCause } from './stop-cause.ts';
import type { StreamHandle } from './stream-handle.ts';
import { takeUpRequest } from './take-up-turn.ts';
import { TurnIntake } from './turn-intake.ts';
import { TurnQueue } from './turn-queue.ts';
import { interruptRecord } from './turn-records.ts';
import { TurnRunner } from './turn-runner.ts';
import type { TurnStanding } from './turn-standing.ts';
import type { TurnStream } from './turn-stream.ts';
import type { Turn } from './turn.ts';
import type { RequestMark } from '../contracts/session-store.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';
import { errorText, type RoundhouseError } from '../errors.ts';
import type { EventRecord, PromptContent, TurnEnd } from '../events/record.ts';
import { monotonicMs } from '../time/clock.ts';
import type { LogFields, Telemetry } from '../telemetry/telemetry.ts';

export interface SessionTurnsParts {
  readonly journal: Journal;
  readonly link: SessionLink;
  readonly context: ContextUse;
  readonly refusal: Refusal;
  readonly maxQueuedTurns: number;
  /** Limits of a turn that has none of its own. */
  readonly limits: () => TurnLimits;
  /** Notes one more turn of the tenant, and gives back how to say that it has ended. Throws when there are too many. */
  readonly admitTurn?: (() => () => void) | undefined;
  /** What the session may cost. Default: anything. */
  readonly budget?: SessionBudget | undefined;
  /** Called before a further turn on the same process. True when that is being taken first; then {@link SessionTurns.advance}. */
  readonly recycle: () => boolean;
  /** Called when {@link SessionTurns.activity} has changed, unless the process goes with the turn: then the link changes. */
  readonly onChange: (reason: string) => void;
  /** Called when no turn runs or waits any more. */
  readonly onRest: () => void;
  /** A turn on a process has failed. */
  readonly onFailure: () => void;
  /** What the session is called in the log. */
  readonly names: () => LogFields;
  readonly telemetry: Telemetry;
}

/**
 * The turns of one session: prompts come in (`TurnIntake`) and wait (`TurnQueue`), one at a time runs on a process
 * (`TurnRunner`) and may wait for its client (`ClientWait`), and each comes to its one end, by its agent or because somebody
 * stops it. What they are doing is `Activity`. They take a process through the session's link, and write through its journal.
 */
export class SessionTurns {
  readonly #parts: SessionTurnsParts;
  readonly #activity: Activity;
  readonly #queue: TurnQueue;
  readonly #runner: TurnRunner;
  readonly #wait: ClientWait;
  readonly #intake: TurnIntake;

  constructor(parts: SessionTurnsParts) {
    this.#parts = parts;
    this.#activity = new Activity(parts.onChange);
    // One object for all of them: there may be thousands of sessions.
    const shared = {
      ...parts,
      activity: this.#activity,
      stop: (turn: Turn, cause: StopCause) => this.stop(turn, cause),
      run: (turn: Turn, attachment: Attachment) => void this.#runner.run(turn, attachment),
      awaitAnswers: (turn: Turn, attachment: Attachment) => this.#wait.begin(turn, attachment),
      onEnd: (turn: Turn, end: TurnEnd) => this.#finish(turn, end),
      onWithdrawn: () => this.#next(),
    };
    this.#queue = new TurnQueue(shared);
    this.#runner = new TurnRunner(shared);
    this.#wait = new ClientWait({ ...shared, runner: this.#runner });
    this.#intake = new TurnIntake({ ...shared, queue: this.#queue, wait: this.#wait });
  }

  /** What the turns are doing. */
  get activity(): ActivityView {
    return this.#activity;
  }

  /** Whether a turn runs or waits. */
  get busy(): boolean {
    return this.current !== undefined;
  }

  /** The turn that is on its way, or else the one that waits first. */
  get current(): Turn | undefined {
    return this.#activity.current ?? this.#queue.first;
  }

  /** Whether a prompt waits for a process, or a turn that goes on. */
  get needsProcess(): boolean {
    const { name, suspended } = this.#activity;
    return suspended === undefined ? this.#queue.length > 0 : name === 'taking-up';
  }

  /** The turn that the next process is for; undefined when it is for none that is known. */
  get nextOnProcess(): Turn | undefined {
    return this.#activity.suspended ?? this.#queue.first;
  }

  /** What the next process goes on with, instead of taking a prompt. */
  get takeUpRequest(): TakeUpRequest | undefined {
    const { state } = this.#activity;
    return state.name === 'taking-up' ? takeUpRequest(state.turn, this.#parts.journal) : undefined;
  }

  /** How many wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Of the turn that runs, or of the last one until it is forgotten. */
  get stream(): TurnStream | undefined {
    const { latest } = this.#activity;
    return latest && this.#intake.streamOf(latest);
  }

  /** See `SessionClient.prompt`. */
  prompt(content: PromptContent, request: PromptRequest): Promise<StreamHandle> {
    return this.#intake.prompt(content, request);
  }

  /** See {@link TurnIntake.submit}. */
  submit(inputs: readonly PlannedInput[], mark?: RequestMark): Promise<void> {
    return this.#intake.submit(inputs, mark);
  }

  /** See `SessionClient.resumePrompt`. */
  resumePrompt(prompt: EventRecord): StreamHandle | undefined {
    return this.#intake.resumePrompt(prompt);
  }

  /** See `SessionClient.resumeWaiting`. */
  resumeWaiting(prompt: EventRecord, standing: TurnStanding): void {
    this.#intake.resumeWaiting(prompt, standing);
  }

  /** See `SessionClient.answer`. */
  answer(answers: readonly ClientAnswer[]): Promise<void> {
    return this.#wait.answer(answers);
  }

  /** See `SessionClient.interrupt`. */
  async interrupt(): Promise<boolean> {
    const turn = this.current;
    if (turn === undefined) return false;
    const { journal, names, telemetry } = this.#parts;
    try {
      await journal.append([interruptRecord(turn.id)]);
    } catch (error) {
      // A store that fails must not keep a turn from being stopped; the record is only the wish.
      telemetry.log.warn('session_interrupt_not_stored', { ...names(), error: errorText(error) });
    }
    return this.stop(turn, INTERRUPTED_BY_CLIENT);
  }

  /** Stops a turn, wherever it stands. Resolves when it has ended: false when it had ended before. */
  async stop(turn: Turn, cause: StopCause): Promise<boolean> {
    if (turn.end !== undefined) return false;
    if (turn.stop(cause)) await this.#bringToEnd(turn, cause);
    await turn.ended;
    return true;
  }

  /** Ends those that wait, for their turn or for their client, in memory only: in the store they stay for the next host. */
  endWaiting(error: RoundhouseError): void {
    const { suspended } = this.#activity;
    if (suspended !== undefined) {
      this.#activity.rest(undefined);
      suspended.finish(endBy(error));
    }
    this.#queue.endInMemory(error);
  }

  /** See {@link TurnQueue.advance}. */
  advance(): void {
    this.#queue.advance();
  }

  /** Follows the process that came or went. What that makes possible is left to {@link SessionTurns.advance}. */
  followLink(): void {
    const { status } = this.#parts.link;
    if (status === 'attached') this.#activity.attached();
    // The last turn's stream goes with its process: thousands of sessions may rest without one.
    if (status === 'attached' || status === 'disconnected') this.#activity.forget();
  }

  /** Forgets the stream of the last turn. Its readers keep what they have. */
  clearStream(): void {
    this.#activity.forget();
  }

  async #bringToEnd(turn: Turn, cause: StopCause): Promise<void> {
    if (this.#queue.includes(turn)) {
      // Without a number it is still being recorded; then it ends as soon as it is.
      if (turn.number !== undefined) await this.#queue.endUndelivered(turn, cause);
      return;
    }
    const { state } = this.#activity;
    if (state.name === 'resting' || state.turn !== turn) return;
    if (state.name === 'active') this.#runner.interrupt(turn, state.attachment, cause);
    else if (state.name !== 'interrupting') await this.#wait.stop(turn, cause);
  }

  #finish(turn: Turn, end: TurnEnd): void {
    turn.finish(end);
    const { names, telemetry } = this.#parts;
    telemetry.log.info('session_turn_ended', {
      ...names(),
      turnId: turn.id,
      reason: end.reason,
      code: end.error?.code,
      seconds: (monotonicMs() - turn.acceptedAtMs) / 1000,
    });
    this.#next();
  }

  #next(): void {
    this.advance();
    if (!this.busy) this.#parts.onRest();
  }
}
