import type { ContextUse } from './context-use.ts';
import { Interruption } from './interruption.ts';
import type { Journal } from './journal.ts';
import { checkedLimits, type TurnLimits } from './limits.ts';
import { isStartedWith, type Attachment, type SessionLink } from './link.ts';
import { stopPastLimit } from './past-limit.ts';
import type { PromptRequest } from './prompt-request.ts';
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
import { driveTurn, type TurnOutcome } from './turn-driver.ts';
import { effectiveEnd, interruptRecord, promptRecord } from './turn-records.ts';
import { TurnStream } from './turn-stream.ts';
import { Turn } from './turn.ts';
import type { RequestMark } from '../contracts/session-store.ts';
import { asRoundhouseError, errorText, RoundhouseError } from '../errors.ts';
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

/** What the attached process is doing. `resting.stream`: of the last turn, until it is cleared. */
type Activity =
  | { readonly name: 'resting'; stream: TurnStream | undefined }
  | { readonly name: 'active'; readonly turn: Turn }
  | { readonly name: 'interrupting'; readonly turn: Turn; readonly interruption: Interruption };

/**
 * The turns of one session: prompts wait in a queue, one runs at a time, and each comes to its one end, by its agent or
 * because somebody stops it. It takes a process through the session's link, and writes through its journal.
 */
export class SessionTurns {
  readonly #parts: SessionTurnsParts;
  readonly #queue: Turn[] = [];
  readonly #streams = new Map<Turn, TurnStream>();
  #activity: Activity = { name: 'resting', stream: undefined };
  /** The prompt that a process is being awaited for. */
  #connectingFor: Turn | undefined;
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
    return this.#queue.length > 0 || this.running !== undefined;
  }

  /** The turn that runs, also while it is being interrupted. */
  get running(): Turn | undefined {
    return this.#activity.name === 'resting' ? undefined : this.#activity.turn;
  }

  /** The turn that runs and is not being interrupted. */
  get active(): Turn | undefined {
    return this.#activity.name === 'active' ? this.#activity.turn : undefined;
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
    const options = request.model === undefined ? {} : { model: request.model };
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
  async submit(inputs: readonly PlannedInput[], mark?: RequestMark): Promise<void> {
    const contents = inputs.flatMap(({ input }) =>
      input.kind === 'prompt' ? [input.content] : [],
    );
    this.#refuseImpossible(contents, {});
    const admitted = admitAll(contents.length, this.#parts.admitTurn);
    const steps = inputs.map((each) => this.#stepOf(each, () => admitted.shift()));
    const turns = steps.flatMap(({ begins }) => begins ?? []);
    try {
      const written = await this.#parts.journal.append(
        steps.flatMap(({ records }) => records),
        (row) =>
          turns.length === 0
            ? {}
            : { turnCount: row.turnCount + turns.length, lastActiveAt: wallClockIso() },
        mark,
      );
      let place = 0;
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

  /** See `SessionClient.interrupt`. */
  async interrupt(): Promise<boolean> {
    const turn = this.running ?? this.#queue[0];
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
      this.#interruptRunning(turn, cause);
    }
    await turn.ended;
    return true;
  }

  /** Refuses prompts from now on, and starts none of those that wait. The first error counts. */
  refuse(error: RoundhouseError): void {
    this.#refusal ??= error;
  }

  /** Ends those that wait, in memory only: in the store they stay for the next host. */
  endWaiting(error: RoundhouseError): void {
    for (const turn of this.#queue.splice(0)) turn.finish(endBy(error));
  }

  /** Takes the next step for the first prompt that waits, if there is one to take. */
  advance(): void {
    const turn = this.#queue[0];
    if (turn === undefined || turn.number === undefined || turn.cause !== undefined) return;
    if (this.#refusal !== undefined || this.running !== undefined) return;
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
  #stepOf({ input, events }: PlannedInput, turnOver: () => (() => void) | undefined): Step {
    if (input.kind === 'interrupt') {
      const stops = this.running ?? this.#queue[0];
      const turnId = stops?.id ?? null;
      return { stops, records: events.map((body) => ({ turnId, body, detail: {} })) };
    }
    const { content, system } = input;
    const prompt = system === undefined ? {} : { system: systemText(system) };
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
    const behind = this.#queue.length + contents.length - (this.running === undefined ? 1 : 0);
    if (contents.length > 0 && behind > maxQueuedTurns) {
      const message = `Session ${name} has ${maxQueuedTurns} prompts waiting, which is the limit; retry later.`;
      throw new RoundhouseError('queue_full', message, { retryAfterSeconds: 1 });
    }
  }

  #newTurn(
    content: PromptContent,
    request: PromptOptions & { readonly limits?: Partial<TurnLimits> | undefined },
    recovered?: { turnId: string; number: number },
  ): Turn {
    return new Turn({
      content,
      model: request.model,
      system: request.system,
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
    attachment.turns += 1;
    this.#setActivity({ name: 'active', turn }, 'prompt');
    const { journal, context, telemetry } = this.#parts;
    const stop = (cause: StopCause): void => void this.stop(turn, cause);
    const run = { turn, attachment, journal, context, telemetry, stop };
    const outcome = await driveTurn(run).catch((error: unknown): TurnOutcome => ({
      end: endBy(asRoundhouseError(error)),
      usable: attachment.connection.process.alive,
    }));
    const end = effectiveEnd(outcome.end, turn.cause);
    if (end.reason === 'failed') this.#parts.onFailure();
    await journal.appendEnd(turn, end, true);
    // Looked at again: it may have died while the end was being written, when its end was still the turn's to see.
    this.#leave(turn, outcome.usable && attachment.connection.process.alive);
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

  #interruptRunning(turn: Turn, cause: StopCause): void {
    const process = this.#parts.link.attachment?.connection.process;
    if (process === undefined) return;
    if (cause.code === 'first_message_timeout') {
      // The process does not listen: there is nobody to interrupt. It is replaced.
      void process.destroy(cause.code);
      return;
    }
    const { names, telemetry } = this.#parts;
    const interruption = new Interruption({ turn, process, names, telemetry });
    this.#setActivity({ name: 'interrupting', turn, interruption }, cause.code);
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
