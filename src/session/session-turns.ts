import { answerIn, type AnswerEvent, type ClientAnswer } from './awaited-answers.ts';
import type { TakeUpRequest } from './connector.ts';
import type { ContextUse } from './context-use.ts';
import { Interruption } from './interruption.ts';
import type { Journal } from './journal.ts';
import { checkedLimits, type TurnLimits } from './limits.ts';
import { isStartedWith, type Attachment, type SessionLink } from './link.ts';
import { stopPastLimit } from './past-limit.ts';
import type { PromptRequest } from './prompt-request.ts';
import type { SessionBudget } from './session-budget.ts';
import { systemText, type PlannedInput } from './session-input.ts';
import {
  ABANDONED,
  endBy,
  INTERRUPTED_BY_CLIENT,
  isWish,
  WITHDRAWN,
  type StopCause,
} from './stop-cause.ts';
import type { StreamHandle, TurnPhase } from './stream-handle.ts';
import { driveTakeUp, driveTurn, type TurnOutcome, type TurnRun } from './turn-driver.ts';
import {
  answerRecord,
  awaitingRecord,
  effectiveEnd,
  goesOnRecord,
  interruptRecord,
  promptRecord,
  takenUpRecord,
} from './turn-records.ts';
import type { TurnStanding } from './turn-standing.ts';
import { TurnStream } from './turn-stream.ts';
import { Turn, type RecoveredTurn } from './turn.ts';
import type { RequestMark } from '../contracts/session-store.ts';
import { asRoundhouseError, ERROR_KINDS, errorText, RoundhouseError } from '../errors.ts';
import type {
  EventRecord,
  NewRecord,
  PromptContent,
  PromptOptions,
  TurnEnd,
} from '../events/record.ts';
import { monotonicMs, wallClockIso } from '../time/clock.ts';
import type { LogFields, Telemetry } from '../telemetry/telemetry.ts';

export interface SessionTurnsParts {
  readonly journal: Journal;
  readonly link: SessionLink;
  readonly context: ContextUse;
  readonly maxQueuedTurns: number;
  /** Limits of a turn that has none of its own. */
  readonly limits: () => TurnLimits;
  /** Notes one more turn of the tenant, and gives back how to say that it has ended. Throws when there are too many. */
  readonly admitTurn?: () => () => void;
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

/** What an input means to the turns, with the records that it becomes. */
interface Step {
  readonly records: readonly NewRecord[];
  readonly begins?: Turn;
  readonly stops?: Turn | undefined;
}

/**
 * What the turns are doing. `resting.stream`: of the last turn, until it is cleared. `waiting`: a turn has asked its client,
 * and may do so without a process; with `takesUp` it has its answers, and needs a process to go on in.
 */
type Activity =
  | { readonly name: 'resting'; stream: TurnStream | undefined; readonly attachment?: undefined }
  | { readonly name: 'active'; readonly turn: Turn; readonly attachment: Attachment }
  | {
      readonly name: 'waiting';
      readonly turn: Turn;
      readonly attachment: Attachment | undefined;
      readonly takesUp: boolean;
    }
  | {
      readonly name: 'interrupting';
      readonly turn: Turn;
      readonly attachment: Attachment;
      readonly interruption: Interruption;
    };

/** Answers that may be given: what is to be appended, in one go, and what is to be done when that is kept. */
export interface AnswerPlan {
  readonly records: readonly NewRecord[];
  readonly act: () => void;
}

/**
 * The turns of one session: prompts wait in a queue, one runs at a time, and each comes to its one end, by its agent or
 * because somebody stops it. It takes a process through the session's link, and writes through its journal.
 */
export class SessionTurns {
  readonly #parts: SessionTurnsParts;
  readonly #queue: Turn[] = [];
  readonly #streams = new Map<Turn, TurnStream>();
  #activity: Activity = { name: 'resting', stream: undefined };
  /** Settles when no answers are being kept. */
  #answering: Promise<unknown> = Promise.resolve();
  /** The prompt that a process is being awaited for. */
  #connectingFor: Turn | undefined;
  /** The prompt that the budget is, or has been, looked at for. */
  #affording: { readonly turn: Turn; isAllowed: boolean } | undefined;
  #restingSinceMs = monotonicMs();
  #refusal: RoundhouseError | undefined;

  constructor(parts: SessionTurnsParts) {
    this.#parts = parts;
  }

  /** What the attached process is doing. */
  get activity(): Activity['name'] {
    return this.#activity.name;
  }

  /** Whether a turn runs or waits. */
  get busy(): boolean {
    return this.#queue.length > 0 || this.#activity.name !== 'resting';
  }

  /** The turn that waits for its client, or that has its answers and needs a process. */
  get waiting(): Turn | undefined {
    return this.#activity.name === 'waiting' ? this.#activity.turn : undefined;
  }

  /** Whether nothing is waited for but the client: then the process may be taken. */
  get parked(): boolean {
    return this.#activity.name === 'waiting' && !this.#activity.takesUp;
  }

  /** Whether a prompt waits for a process, or a turn that goes on. */
  get needsProcess(): boolean {
    if (this.#activity.name === 'waiting') return this.#activity.takesUp;
    return this.#queue.length > 0;
  }

  /** The turn that the next process is for; undefined when it is for none that is known. */
  get nextOnProcess(): Turn | undefined {
    return this.waiting ?? this.#queue[0];
  }

  /** What the next process goes on with, instead of taking a prompt. */
  get takeUpRequest(): TakeUpRequest | undefined {
    return this.#activity.name === 'waiting' && this.#activity.takesUp
      ? this.#takeUpRequestOf(this.#activity.turn)
      : undefined;
  }

  /** The turn that runs, also while it is being interrupted. */
  get running(): Turn | undefined {
    const { name } = this.#activity;
    return name === 'active' || name === 'interrupting' ? this.#activity.turn : undefined;
  }

  /** The turn that runs, or waits for its client, and is not being interrupted. */
  get active(): Turn | undefined {
    const { name } = this.#activity;
    return name === 'active' || name === 'waiting' ? this.#activity.turn : undefined;
  }

  /** The turn that waits first. */
  get next(): Turn | undefined {
    return this.#queue[0];
  }

  /** How many wait. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Of the turn that runs, if it is being interrupted. */
  get interruption(): Interruption | undefined {
    return this.#activity.name === 'interrupting' ? this.#activity.interruption : undefined;
  }

  /** Of the turn that runs, or of the last one until it is forgotten. */
  get stream(): TurnStream | undefined {
    return this.#activity.name === 'resting'
      ? this.#activity.stream
      : this.#streams.get(this.#activity.turn);
  }

  /** When the last turn ended, or the session got its process or came into memory after that; on the monotonic clock. */
  get restingSinceMs(): number {
    return this.#restingSinceMs;
  }

  /** Why prompts are refused; undefined while they are not. */
  get refusal(): RoundhouseError | undefined {
    return this.#refusal;
  }

  /** See `SessionClient.prompt`. */
  async prompt(content: PromptContent, request: PromptRequest): Promise<StreamHandle> {
    this.#refuseImpossible([content], request);
    const limits = checkedLimits(request.limits);
    const turnOver = this.#parts.admitTurn?.();
    const turn = this.#newTurn(content, { ...request, limits });
    if (turnOver !== undefined) void turn.ended.then(turnOver);
    // From here on the session is busy: it can't be evicted, and later prompts stand behind this one.
    this.#queue.push(turn);
    const { model, answers } = request;
    const options: PromptOptions = {
      ...(model !== undefined && { model }),
      ...(answers !== undefined && { answers }),
    };
    try {
      const [record] = await this.#parts.journal.append(
        [promptRecord(turn.id, content, options)],
        (row) => ({ turnCount: row.turnCount + 1, lastActiveAt: wallClockIso() }),
      );
      return this.#admit(turn, record?.number ?? this.#parts.journal.log.lastNumber, request);
    } catch (error) {
      throw this.#withdraw([turn], error);
    }
  }

  /**
   * Keeps the events of all inputs in one append, with the mark of their request, and then does in order what they ask for.
   * What a prompt can be refused with refuses all of them.
   */
  submit(inputs: readonly PlannedInput[], mark?: RequestMark): Promise<void> {
    const answers = answersIn(inputs);
    if (answers.length === 0) return this.#submit(inputs, mark);
    return this.exclusively(() => this.#submit(inputs, mark, this.planAnswers(answers)));
  }

  async #submit(
    inputs: readonly PlannedInput[],
    mark?: RequestMark,
    plan?: AnswerPlan,
  ): Promise<void> {
    const contents = inputs.flatMap(({ input }) =>
      input.kind === 'prompt' ? [input.content] : [],
    );
    this.#refuseImpossible(contents, {});
    const admitted = admitAll(contents.length, this.#parts.admitTurn);
    const steps = inputs.flatMap((each) => this.#stepOf(each, () => admitted.shift()) ?? []);
    const turns = steps.flatMap(({ begins }) => begins ?? []);
    try {
      const written = await this.#parts.journal.append(
        [...(plan?.records ?? []), ...steps.flatMap(({ records }) => records)],
        (row) =>
          turns.length === 0
            ? {}
            : { turnCount: row.turnCount + turns.length, lastActiveAt: wallClockIso() },
        mark,
      );
      // Answers first, whatever stands before them: what waits for them is older than what comes with them.
      plan?.act();
      let place = plan?.records.length ?? 0;
      for (const { begins, stops, records } of steps) {
        const number = written[place]?.number ?? this.#parts.journal.log.lastNumber;
        place += records.length;
        if (begins !== undefined) this.#admit(begins, number, {});
        // Its end is told by its events: whoever sent the inputs does not wait for it.
        if (stops !== undefined) void this.stop(stops, INTERRUPTED_BY_CLIENT);
      }
    } catch (error) {
      throw this.#withdraw(turns, error);
    }
  }

  /** See `SessionClient.resumePrompt`. */
  resumePrompt(prompt: EventRecord): StreamHandle | undefined {
    if (this.#refusal !== undefined) return undefined;
    if (prompt.body.type !== 'user.message' || prompt.turnId === null) return undefined;
    const recovered = { turnId: prompt.turnId, number: prompt.number };
    const turn = this.#newTurn(prompt.body.content, prompt.detail.prompt ?? {}, recovered);
    this.#queue.push(turn);
    return this.#admit(turn, prompt.number, {});
  }

  /** See `SessionClient.resumeWaiting`. */
  resumeWaiting(prompt: EventRecord, { at, answers, spent }: TurnStanding): void {
    if (this.#refusal !== undefined) return;
    if (prompt.body.type !== 'user.message' || prompt.turnId === null) return;
    const recovered = { turnId: prompt.turnId, number: prompt.number, spent, asked: answers };
    const turn = this.#newTurn(prompt.body.content, prompt.detail.prompt ?? {}, recovered);
    this.#activity = { name: 'waiting', turn, attachment: undefined, takesUp: false };
    this.#admit(turn, prompt.number, {});
    if (at === 'answered') void this.#takeUp(turn);
    else turn.awaitClient();
  }

  /** See `SessionClient.answer`. */
  answer(answers: readonly ClientAnswer[]): Promise<void> {
    return this.exclusively(async () => {
      const plan = this.planAnswers(answers);
      await this.#parts.journal.append(plan.records).catch((error: unknown) => {
        throw this.whyNotWritten(error);
      });
      plan.act();
    });
  }

  /** Runs work that plans answers, keeps them and acts on them: one at a time, so that each sees what the last one left. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#answering.then(work);
    this.#answering = done.catch(() => {});
    return done;
  }

  /**
   * Checks answers, and says what is to be appended for them. Within {@link SessionTurns.exclusively}; the plan holds until
   * that work ends. Throws `invalid_request`, or why the session takes no answers.
   */
  planAnswers(answers: readonly ClientAnswer[]): AnswerPlan {
    if (this.#refusal !== undefined) throw this.#refusal;
    const early = this.#planEarlyResults(answers);
    if (early !== undefined) return early;
    const activity = this.#activity;
    if (activity.name !== 'waiting' || activity.takesUp || activity.turn.cause !== undefined) {
      const { name } = this.#parts.journal.row;
      const message = `answers: session ${name} awaits none. Read its last session.status_idle: it names the calls that wait, if any does.`;
      throw new RoundhouseError('invalid_request', message);
    }
    const { turn } = activity;
    turn.asked.check(answers);
    const bodies = answers.map(({ body }) => body);
    const remaining = turn.asked.remainingAfter(answers);
    const kept = bodies.map((body) => answerRecord(turn.id, body));
    if (remaining.length > 0) {
      const records = [...kept, awaitingRecord(turn.id, remaining)];
      return { records, act: () => turn.asked.take(bodies) };
    }
    const handed = this.#holds(turn) === undefined ? [] : turn.asked.carriedOut;
    const records = [...kept, goesOnRecord(turn.id, handed)];
    return { records, act: () => this.#goOn(turn, bodies, handed) };
  }

  /**
   * The client may send the result of a tool of its own as soon as it sees the call, before the turn has come to wait for
   * it. Undefined when the turn does not run: then it waits, or nobody has called.
   */
  #planEarlyResults(answers: readonly ClientAnswer[]): AnswerPlan | undefined {
    const activity = this.#activity;
    if (activity.name !== 'active' || activity.turn.asked.size === 0) return undefined;
    const { turn, attachment } = activity;
    turn.asked.check(answers);
    const bodies = answers.map(({ body }) => body);
    const act = (): void => {
      turn.asked.take(bodies);
      const { process } = attachment.connection;
      for (const { toolUseId, decision } of turn.asked.decisions)
        process.answer(toolUseId, decision);
    };
    return { records: bodies.map((body) => answerRecord(turn.id, body)), act };
  }

  /** See `SessionClient.interrupt`. */
  async interrupt(): Promise<boolean> {
    const turn = this.running ?? this.waiting ?? this.#queue[0];
    if (turn === undefined) return false;
    try {
      await this.#parts.journal.append([interruptRecord(turn.id)]);
    } catch (error) {
      // A store that fails must not keep a turn from being stopped; the record is only the wish.
      const { log } = this.#parts.telemetry;
      log.warn('session_interrupt_not_stored', { ...this.#parts.names(), error: errorText(error) });
    }
    return this.stop(turn, INTERRUPTED_BY_CLIENT);
  }

  /** Stops a turn, wherever it stands. Resolves when it has ended: false when it had ended before. */
  async stop(turn: Turn, cause: StopCause): Promise<boolean> {
    if (turn.end !== undefined) return false;
    const first = turn.stop(cause);
    if (first && this.#queue.includes(turn)) {
      // Without a number it is still being recorded; then it ends as soon as it is.
      if (turn.number !== undefined) await this.#endUndelivered(turn, cause);
    } else if (first && this.#activity.name === 'active' && this.#activity.turn === turn) {
      this.#interruptRunning(this.#activity, cause);
    } else if (first && this.#activity.name === 'waiting' && this.#activity.turn === turn) {
      await this.#stopWaiting(turn, cause);
    }
    await turn.ended;
    return true;
  }

  /** Refuses prompts from now on, and starts none of those that wait. The first error counts. */
  refuse(error: RoundhouseError): void {
    this.#refusal ??= error;
  }

  /** Ends those that wait, for their turn or for their client, in memory only: in the store they stay for the next host. */
  endWaiting(error: RoundhouseError): void {
    const { waiting } = this;
    if (waiting !== undefined) {
      this.#activity = { name: 'resting', stream: undefined };
      waiting.finish(endBy(error));
    }
    for (const turn of this.#queue.splice(0)) turn.finish(endBy(error));
  }

  /** Takes the next step for the first prompt that waits, if there is one to take. */
  advance(): void {
    const turn = this.#queue[0];
    if (turn === undefined || turn.number === undefined || turn.cause !== undefined) return;
    if (this.#refusal !== undefined || this.#activity.name !== 'resting') return;
    if (!this.#isAffordable(turn)) return;
    const { attachment } = this.#parts.link;
    if (attachment === undefined) {
      // A connect that fails is told here first; what becomes of the turn is for the one who waits for that connect.
      if (this.#connectingFor === turn) return;
      if (this.#parts.link.status === 'disconnected' || this.#parts.link.status === 'error')
        void this.#connectFor(turn);
    } else if (!isStartedWith(attachment, turn.agentOptions)) {
      void this.#parts.link.release('options_changed');
    } else if (attachment.connection.process.alive) {
      if (attachment.turns > 0 && this.#parts.recycle()) return;
      void this.#run(turn, attachment);
    }
  }

  /** Follows the process that came or went. What that makes possible is left to {@link SessionTurns.advance}. */
  followLink(): void {
    const { status } = this.#parts.link;
    if (status === 'attached') this.#restingSinceMs = monotonicMs();
    // A turn that waits for its client does so with or without a process.
    if (this.#activity.name === 'waiting') return;
    // The last turn's stream goes with its process: thousands of sessions may rest without one.
    if (status === 'attached' || status === 'disconnected')
      this.#activity = { name: 'resting', stream: undefined };
  }

  /** Forgets the stream of the last turn. Its readers keep what they have. */
  clearStream(): void {
    if (this.#activity.name === 'resting') this.#activity.stream = undefined;
  }

  /** Why nothing was kept. The store does not know a session that was deleted meanwhile; why it ended says more than that. */
  whyNotWritten(error: unknown): RoundhouseError {
    const failure = asRoundhouseError(error, 'storage_failed');
    return failure.code === 'session_not_found' ? (this.#refusal ?? failure) : failure;
  }

  /** What an input means: the turn that it begins, which stands in the queue from now on, or the one that it stops. */
  #stepOf(
    { input, events }: PlannedInput,
    turnOver: () => (() => void) | undefined,
  ): Step | undefined {
    if (input.kind === 'answer' || input.kind === 'result') return undefined;
    if (input.kind === 'interrupt') {
      const stops = this.running ?? this.waiting ?? this.#queue[0];
      const turnId = stops?.id ?? null;
      return { stops, records: events.map((body) => ({ turnId, body, detail: {} })) };
    }
    const { content, system } = input;
    const prompt: PromptOptions = {
      // Whoever sends events reads them too.
      answers: 'client',
      ...(system !== undefined && { system: systemText(system) }),
    };
    const begins = this.#newTurn(content, prompt);
    const over = turnOver();
    if (over !== undefined) void begins.ended.then(over);
    this.#queue.push(begins);
    const records = events.map((body) => ({
      turnId: begins.id,
      body,
      detail: body.type === 'user.message' ? { prompt } : {},
    }));
    return { begins, records };
  }

  /** Takes turns back that could not be written. Returns why. */
  #withdraw(turns: readonly Turn[], error: unknown): RoundhouseError {
    const failure = this.whyNotWritten(error);
    for (const turn of turns) {
      this.#removeFromQueue(turn);
      turn.finish(endBy(failure));
    }
    this.advance();
    if (!this.busy) this.#parts.onRest();
    return failure;
  }

  #refuseImpossible(contents: readonly PromptContent[], request: PromptRequest): void {
    if (this.#refusal !== undefined) throw this.#refusal;
    const { maxQueuedTurns, journal } = this.#parts;
    const { name } = journal.row;
    request.signal?.throwIfAborted();
    if (contents.some((content) => content.length === 0)) {
      throw new RoundhouseError(
        'invalid_request',
        'The prompt is empty: expected at least one content block.',
      );
    }
    if (request.onBusy === 'reject' && this.busy) {
      const message = `Session ${name} is running a turn; retry when it has ended, or let the prompt queue.`;
      throw new RoundhouseError('session_busy', message);
    }
    // The limit is for those behind a running turn, or behind the one that waits for a process.
    const behind =
      this.#queue.length + contents.length - (this.#activity.name === 'resting' ? 1 : 0);
    if (contents.length > 0 && behind > maxQueuedTurns) {
      const message = `Session ${name} has ${maxQueuedTurns} prompts waiting, which is the limit; retry later.`;
      throw new RoundhouseError('queue_full', message, { retryAfterSeconds: 1 });
    }
  }

  #newTurn(
    content: PromptContent,
    request: PromptOptions & { readonly limits?: Partial<TurnLimits> | undefined },
    recovered?: RecoveredTurn,
  ): Turn {
    return new Turn({
      content,
      model: request.model,
      system: request.system,
      answers: request.answers,
      agentOptions: this.#parts.journal.row.options,
      limits: { ...this.#parts.limits(), ...request.limits },
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
      log: this.#parts.journal.log,
      whenUnread: request.whenUnread ?? { policy: 'continue' },
      interrupt: (target) => this.stop(target, INTERRUPTED_BY_CLIENT),
      onAbandoned: (target) => void this.stop(target, ABANDONED),
    });
    this.#streams.set(turn, stream);
    const withdraw = (): void => {
      if (this.#queue.includes(turn)) void this.stop(turn, WITHDRAWN);
    };
    request.signal?.addEventListener('abort', withdraw, { once: true });
    void turn.ended.then(() => {
      this.#streams.delete(turn);
      request.signal?.removeEventListener('abort', withdraw);
    });
    // It may have been stopped, by a limit or by its caller, while it was being recorded.
    if (request.signal?.aborted === true) withdraw();
    else if (turn.cause !== undefined) void this.#endUndelivered(turn, turn.cause);
    this.advance();
    return stream;
  }

  /** Whether the budget lets the turn begin. Where that is not known yet it is being looked up. */
  #isAffordable(turn: Turn): boolean {
    const { budget } = this.#parts;
    if (budget === undefined) return true;
    if (this.#affording?.turn !== turn) void this.#afford(turn, budget);
    return this.#affording?.turn === turn && this.#affording.isAllowed;
  }

  async #afford(turn: Turn, budget: SessionBudget): Promise<void> {
    const affording = { turn, isAllowed: false };
    this.#affording = affording;
    const cause = await budget.stops(turn);
    // In a shutdown the prompt stays in the store, undelivered, for the next host.
    if (this.#refusal !== undefined) return;
    if (cause !== undefined) {
      await this.#endUndelivered(turn, cause);
      return;
    }
    affording.isAllowed = true;
    this.advance();
  }

  async #connectFor(turn: Turn): Promise<void> {
    this.#connectingFor = turn;
    turn.starting();
    try {
      await this.#parts.link.ensureAttached();
    } catch (error) {
      // In a shutdown the prompt stays in the store, undelivered, for the next host.
      if (this.#refusal === undefined)
        await this.#endUndelivered(turn, asRoundhouseError(error, 'session_connection_failed'));
    }
    if (this.#connectingFor === turn) this.#connectingFor = undefined;
    this.advance();
  }

  async #run(turn: Turn, attachment: Attachment): Promise<void> {
    this.#queue.shift();
    const outcome = await this.#drive(turn, attachment, 'prompt', driveTurn);
    if (outcome !== undefined) await this.#conclude(turn, attachment, outcome);
  }

  /** Runs a turn on a process. Undefined when it has left the process, and goes on without it. */
  async #drive(
    turn: Turn,
    attachment: Attachment,
    reason: string,
    drive: (run: TurnRun) => Promise<TurnOutcome>,
  ): Promise<TurnOutcome | undefined> {
    attachment.turns += 1;
    this.#setActivity({ name: 'active', turn, attachment }, reason);
    const { journal, context, telemetry, budget } = this.#parts;
    const pastBudget = budget && (() => budget.stops(turn));
    const stop = (cause: StopCause): void => void this.stop(turn, cause);
    const awaitAnswers = (): Promise<void> => this.#awaitAnswers(turn, attachment);
    const run = {
      turn,
      attachment,
      journal,
      context,
      telemetry,
      stop,
      pastBudget,
      awaitAnswers,
    };
    const outcome = await drive(run).catch((error: unknown): TurnOutcome => ({
      end: endBy(asRoundhouseError(error)),
      usable: attachment.connection.process.alive,
    }));
    const { name, attachment: present } = this.#activity;
    if (present !== attachment) return undefined;
    if (name !== 'waiting' || outcome.usable) return outcome;
    // Its process has gone, whoever has taken it. The turn waits on without.
    this.#activity = { name, turn, attachment: undefined, takesUp: false };
    turn.leftBehind();
    // While the turn ran its end was the turn's to see; the process may have ended before the turn began to wait.
    const { link } = this.#parts;
    if (link.attachment === attachment) void link.drop('process_ended', true);
    return undefined;
  }

  async #conclude(turn: Turn, attachment: Attachment, outcome: TurnOutcome): Promise<void> {
    const end = turn.whole(effectiveEnd(outcome.end, turn.cause));
    if (end.reason === 'failed') this.#parts.onFailure();
    const budgetSpent = await this.#parts.budget?.isSpentBy(end);
    await this.#parts.journal.appendEnd(turn, end, true, budgetSpent);
    // Looked at again: it may have died while the end was being written, when its end was still the turn's to see.
    this.#leave(turn, outcome.usable && attachment.connection.process.alive);
    this.#finish(turn, end);
  }

  /** The turn has asked its client: that is kept, and its process may be taken from here on. */
  #awaitAnswers(turn: Turn, attachment: Attachment): Promise<void> {
    // Answers that are being kept at this moment are not asked for.
    return this.exclusively(() => this.#beginToWait(turn, attachment));
  }

  async #beginToWait(turn: Turn, attachment: Attachment): Promise<void> {
    if (turn.cause !== undefined || turn.asked.remaining.length === 0) return;
    await this.#parts.journal.append([awaitingRecord(turn.id, turn.asked.remaining)]);
    // Stopped meanwhile: then that is under way.
    if (turn.end !== undefined || this.#activity.name === 'interrupting') return;
    this.#restingSinceMs = monotonicMs();
    turn.awaitClient();
    this.#setActivity({ name: 'waiting', turn, attachment, takesUp: false }, 'answers_awaited');
    // Prompts can't run, and somebody else may need the process.
    this.#parts.onRest();
  }

  /** The process that holds the calls of a turn that waits. */
  #holds(turn: Turn): Attachment | undefined {
    const { name, attachment } = this.#activity;
    if (name !== 'waiting' || this.#activity.turn !== turn || attachment === undefined)
      return undefined;
    const isThere = this.#parts.link.attachment === attachment;
    return isThere && attachment.connection.process.alive ? attachment : undefined;
  }

  /** All answers are kept: the turn goes on, where it stands or in another process. */
  #goOn(turn: Turn, bodies: readonly AnswerEvent[], handed: readonly string[]): void {
    turn.asked.take(bodies);
    if (turn.cause !== undefined || this.waiting !== turn) return;
    const attachment = this.#holds(turn);
    if (attachment === undefined) {
      void this.#takeUp(turn);
      return;
    }
    turn.asked.hand(handed);
    turn.answered('goes-on');
    this.#setActivity({ name: 'active', turn, attachment }, 'answered');
    const { process } = attachment.connection;
    for (const { toolUseId, decision } of turn.asked.decisions) process.answer(toolUseId, decision);
  }

  /**
   * Goes on with a turn that has its answers, in new processes: the open calls one after the other, each in a process of its
   * own, the last of which goes on behind it.
   */
  async #takeUp(turn: Turn): Promise<void> {
    const { link } = this.#parts;
    const over = new AbortController();
    void turn.ended.then(() => over.abort(new Error('The turn has ended.')));
    for (;;) {
      this.#activity = { name: 'waiting', turn, attachment: undefined, takesUp: true };
      turn.leftBehind();
      turn.answered('starting');
      try {
        await link.ensureAttached(over.signal);
      } catch (error) {
        if (turn.cause === undefined) await this.#endTakeUp(turn, error);
        return;
      }
      const { attachment } = link;
      if (attachment === undefined) continue;
      const { takeUp } = attachment.connection;
      // Nobody gives such a session another process; one that it had for another purpose is of no use.
      if (takeUp === undefined || turn.cause !== undefined) {
        await link.drop('of_no_use', false);
        if (turn.cause !== undefined) return;
        continue;
      }
      turn.takenUp(takeUp.call.toolUseId);
      const outcome = await this.#drive(turn, attachment, 'taken_up', driveTakeUp);
      if (outcome === undefined) return;
      const goesOn = !takeUp.last && outcome.end.reason === 'completed' && turn.cause === undefined;
      if (!goesOn) {
        await this.#conclude(turn, attachment, outcome);
        return;
      }
      turn.asked.finish(takeUp.eventId);
      this.#activity = { name: 'waiting', turn, attachment: undefined, takesUp: true };
      await link.release('taken_up');
    }
  }

  #takeUpRequestOf(turn: Turn): TakeUpRequest {
    return {
      neverHanded: turn.asked.neverHanded,
      choose: async (open) => {
        const chosen = turn.asked.takeUp(open, turn.agentOptions);
        if (chosen === undefined) throw interruptedByCrash();
        if (chosen.handed.length > 0) {
          turn.asked.hand(chosen.handed);
          await this.#parts.journal.append([takenUpRecord(turn.id, chosen.handed)]);
        }
        const { model } = turn;
        return { ...chosen.takeUp, ...(model !== undefined && { model }) };
      },
    };
  }

  async #endTakeUp(turn: Turn, error: unknown): Promise<void> {
    // In a shutdown it stays in the store as it is, for the next host.
    if (this.#refusal !== undefined) return;
    await this.#stopWaiting(turn, asRoundhouseError(error, 'session_connection_failed'));
  }

  /** Stops a turn that waits for its client: in its process, if it has one, so that the agent knows. */
  async #stopWaiting(turn: Turn, cause: StopCause): Promise<void> {
    turn.stop(cause);
    const attachment = this.#holds(turn);
    if (attachment !== undefined) {
      const active = { name: 'active', turn, attachment } as const;
      this.#setActivity(active, 'stopped');
      this.#interruptRunning(active, cause);
      return;
    }
    // What its process may still say is of no interest.
    this.#activity = { name: 'waiting', turn, attachment: undefined, takesUp: false };
    this.#parts.link.giveUpUnneeded();
    const end = turn.whole(endBy(cause, isWish(cause) ? 'interrupted' : 'failed'));
    await this.#parts.journal.appendEnd(turn, end, true);
    if (this.waiting === turn)
      this.#activity = { name: 'resting', stream: this.#streams.get(turn) };
    this.#parts.onChange('turn_ended');
    this.#finish(turn, end);
  }

  /** The running turn is over. What comes next depends on what is left of the process. */
  #leave(turn: Turn, usable: boolean): void {
    this.#restingSinceMs = monotonicMs();
    if (this.#activity.name === 'interrupting') this.#activity.interruption.over();
    this.#activity = { name: 'resting', stream: this.#streams.get(turn) };
    if (usable) this.#parts.onChange('turn_ended');
    else void this.#parts.link.drop(turn.cause?.code ?? 'process_ended', turn.cause === undefined);
  }

  /** Ends a prompt that no process has seen. */
  async #endUndelivered(turn: Turn, cause: StopCause): Promise<void> {
    if (!this.#removeFromQueue(turn)) return;
    turn.stop(cause);
    const end = endBy(cause, isWish(cause) ? 'cancelled' : 'failed');
    this.#parts.link.giveUpUnneeded();
    await this.#parts.journal.appendEnd(turn, end, this.running === undefined);
    this.#finish(turn, end);
  }

  #finish(turn: Turn, end: TurnEnd): void {
    turn.finish(end);
    if (this.#affording?.turn === turn) this.#affording = undefined;
    this.#parts.telemetry.log.info('session_turn_ended', {
      ...this.#parts.names(),
      turnId: turn.id,
      reason: end.reason,
      code: end.error?.code,
      seconds: (monotonicMs() - turn.acceptedAtMs) / 1000,
    });
    this.advance();
    if (!this.busy) this.#parts.onRest();
  }

  #interruptRunning(
    { turn, attachment }: Extract<Activity, { name: 'active' }>,
    cause: StopCause,
  ): void {
    const { process } = attachment.connection;
    if (cause.code === 'first_message_timeout') {
      // The process does not listen: there is nobody to interrupt. It is replaced.
      void process.destroy(cause.code);
      return;
    }
    const { names, telemetry } = this.#parts;
    const interruption = new Interruption({ turn, process, names, telemetry });
    this.#setActivity({ name: 'interrupting', turn, attachment, interruption }, cause.code);
    interruption.begin();
  }

  #onLimit(turn: Turn, phase: TurnPhase): void {
    const { names, telemetry } = this.#parts;
    const stop = (cause: StopCause): Promise<boolean> => this.stop(turn, cause);
    stopPastLimit({ turn, phase, names: names(), telemetry, stop });
  }

  #removeFromQueue(turn: Turn): boolean {
    const place = this.#queue.indexOf(turn);
    if (place < 0) return false;
    this.#queue.splice(place, 1);
    return true;
  }

  #setActivity(activity: Activity, reason: string): void {
    this.#activity = activity;
    this.#parts.onChange(reason);
  }
}

/** Notes turns of the tenant, all or none: how to say of each that it has ended. */
function admitAll(count: number, admitTurn: SessionTurnsParts['admitTurn']): (() => void)[] {
  const admitted: (() => void)[] = [];
  if (admitTurn === undefined) return admitted;
  try {
    while (admitted.length < count) admitted.push(admitTurn());
  } catch (error) {
    for (const over of admitted) over();
    throw error;
  }
  return admitted;
}

function answersIn(inputs: readonly PlannedInput[]): ClientAnswer[] {
  return inputs.flatMap(({ events }) => events.flatMap((body) => answerIn(body) ?? []));
}

function interruptedByCrash(): RoundhouseError {
  const { when, next } = ERROR_KINDS.interrupted_by_crash;
  return new RoundhouseError('interrupted_by_crash', `${when} ${next}`);
}
