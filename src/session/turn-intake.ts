import type { Activity } from './activity.ts';
import { answerIn, type ClientAnswer } from './awaited-answers.ts';
import type { AnswerPlan, ClientWait } from './client-wait.ts';
import type { Journal } from './journal.ts';
import { checkedLimits } from './limits.ts';
import { stopPastLimit } from './past-limit.ts';
import type { PromptRequest } from './prompt-request.ts';
import type { Refusal } from './refusal.ts';
import { systemText, type PlannedInput } from './session-input.ts';
import {
  ABANDONED,
  endBy,
  INTERRUPTED_BY_CLIENT,
  WITHDRAWN,
  type StopCause,
} from './stop-cause.ts';
import type { StreamHandle } from './stream-handle.ts';
import type { TurnQueue } from './turn-queue.ts';
import { promptRecord } from './turn-records.ts';
import type { TurnStanding } from './turn-standing.ts';
import { TurnStream } from './turn-stream.ts';
import { Turn, type RecoveredTurn } from './turn.ts';
import type { RequestMark } from '../contracts/session-store.ts';
import type { TurnLimits } from '../definitions/turn-limits.ts';
import { RoundhouseError } from '../errors.ts';
import type { EventRecord, NewRecord, PromptContent, PromptOptions } from '../events/record.ts';
import { wallClockIso } from '../time/clock.ts';
import type { LogFields, Telemetry } from '../telemetry/telemetry.ts';

export interface TurnIntakeParts {
  readonly activity: Activity;
  readonly journal: Journal;
  readonly queue: TurnQueue;
  readonly wait: ClientWait;
  readonly refusal: Refusal;
  readonly maxQueuedTurns: number;
  /** Limits of a turn that has none of its own. */
  readonly limits: () => TurnLimits;
  /** Notes one more turn of the tenant, and gives back how to say that it has ended. Throws when there are too many. */
  readonly admitTurn?: (() => () => void) | undefined;
  /** Stops a turn, wherever it stands. Resolves when it has ended: false when it had ended before. */
  readonly stop: (turn: Turn, cause: StopCause) => Promise<boolean>;
  /** Prompts that could not be kept are gone. */
  readonly onWithdrawn: () => void;
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
 * How turns come into a session: what clients send is checked, stands in the queue from then on, and is kept in the store
 * before anybody is told so; what an earlier host left is taken up.
 */
export class TurnIntake {
  readonly #parts: TurnIntakeParts;
  readonly #streams = new WeakMap<Turn, TurnStream>();

  constructor(parts: TurnIntakeParts) {
    this.#parts = parts;
  }

  /** The handle that was given out for a turn; undefined until its prompt is in the store. */
  streamOf(turn: Turn): TurnStream | undefined {
    return this.#streams.get(turn);
  }

  /** See `SessionClient.prompt`. */
  async prompt(content: PromptContent, request: PromptRequest): Promise<StreamHandle> {
    const { admitTurn, journal, queue } = this.#parts;
    this.#refuseImpossible([content], request);
    const limits = checkedLimits(request.limits);
    const turnOver = admitTurn?.();
    const turn = this.#newTurn(content, { ...request, limits });
    if (turnOver !== undefined) void turn.ended.then(turnOver);
    // From here on the session is busy: it can't be evicted, and later prompts stand behind this one.
    queue.add(turn);
    const { model, answers } = request;
    const options: PromptOptions = {
      ...(model !== undefined && { model }),
      ...(answers !== undefined && { answers }),
    };
    try {
      const [record] = await journal.append([promptRecord(turn.id, content, options)], (row) => ({
        turnCount: row.turnCount + 1,
        lastActiveAt: wallClockIso(),
      }));
      return this.#admit(turn, record?.number ?? journal.log.lastNumber, request);
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
    const { wait } = this.#parts;
    return wait.exclusively(() => this.#submit(inputs, mark, wait.plan(answers)));
  }

  /** See `SessionClient.resumePrompt`. */
  resumePrompt(prompt: EventRecord): StreamHandle | undefined {
    const turn = this.#recoveredTurn(prompt);
    if (turn === undefined) return undefined;
    this.#parts.queue.add(turn);
    return this.#admit(turn, prompt.number, {});
  }

  /** See `SessionClient.resumeWaiting`. */
  resumeWaiting(prompt: EventRecord, { at, answers, spent }: TurnStanding): void {
    const turn = this.#recoveredTurn(prompt, { spent, asked: answers });
    if (turn === undefined) return;
    const { activity, wait } = this.#parts;
    activity.waitAlone(turn);
    this.#admit(turn, prompt.number, {});
    wait.resume(turn, at);
  }

  async #submit(
    inputs: readonly PlannedInput[],
    mark?: RequestMark,
    plan?: AnswerPlan,
  ): Promise<void> {
    const { admitTurn, journal, stop } = this.#parts;
    const contents = inputs.flatMap(({ input }) =>
      input.kind === 'prompt' ? [input.content] : [],
    );
    this.#refuseImpossible(contents, {});
    const admitted = admitAll(contents.length, admitTurn);
    const steps = inputs.flatMap((each) => this.#stepOf(each, () => admitted.shift()) ?? []);
    const turns = steps.flatMap(({ begins }) => begins ?? []);
    try {
      const written = await journal.append(
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
        const number = written[place]?.number ?? journal.log.lastNumber;
        place += records.length;
        if (begins !== undefined) this.#admit(begins, number, {});
        // Its end is told by its events: whoever sent the inputs does not wait for it.
        if (stops !== undefined) void stop(stops, INTERRUPTED_BY_CLIENT);
      }
    } catch (error) {
      throw this.#withdraw(turns, error);
    }
  }

  /** What an input means: the turn that it begins, which stands in the queue from now on, or the one that it stops. */
  #stepOf(
    { input, events }: PlannedInput,
    turnOver: () => (() => void) | undefined,
  ): Step | undefined {
    const { activity, queue } = this.#parts;
    if (input.kind === 'answer' || input.kind === 'result') return undefined;
    if (input.kind === 'interrupt') {
      const stops = activity.current ?? queue.first;
      const turnId = stops?.id ?? null;
      return { stops, records: events.map((body) => ({ turnId, body, detail: {} })) };
    }
    const { content, given, system } = input;
    const prompt: PromptOptions = {
      // Whoever sends events reads them too.
      answers: 'client',
      ...(system !== undefined && { system: systemText(system) }),
    };
    const begins = this.#newTurn(content, prompt);
    const over = turnOver();
    if (over !== undefined) void begins.ended.then(over);
    queue.add(begins);
    const records = events.map((body): NewRecord =>
      body.type === 'user.message'
        ? { turnId: begins.id, body, detail: { prompt }, ...(given !== undefined && { given }) }
        : { turnId: begins.id, body, detail: {} },
    );
    return { begins, records };
  }

  /** Takes turns back that could not be written. Returns why. */
  #withdraw(turns: readonly Turn[], error: unknown): RoundhouseError {
    const { queue, refusal, onWithdrawn } = this.#parts;
    const failure = refusal.whyNotWritten(error);
    for (const turn of turns) {
      queue.remove(turn);
      turn.finish(endBy(failure));
    }
    onWithdrawn();
    return failure;
  }

  #refuseImpossible(contents: readonly PromptContent[], request: PromptRequest): void {
    const { activity, journal, maxQueuedTurns, queue, refusal } = this.#parts;
    refusal.throwIfBegun();
    const { name } = journal.row;
    const rests = activity.name === 'resting';
    request.signal?.throwIfAborted();
    if (contents.some((content) => content.length === 0)) {
      throw new RoundhouseError(
        'invalid_request',
        'The prompt is empty: expected at least one content block.',
      );
    }
    if (request.onBusy === 'reject' && (queue.length > 0 || !rests)) {
      const message = `Session ${name} is running a turn; retry when it has ended, or let the prompt queue.`;
      throw new RoundhouseError('session_busy', message);
    }
    // The limit is for those behind a running turn, or behind the one that waits for a process.
    const behind = queue.length + contents.length - (rests ? 1 : 0);
    if (contents.length > 0 && behind > maxQueuedTurns) {
      const message = `Session ${name} has ${maxQueuedTurns} prompts waiting, which is the limit; retry later.`;
      throw new RoundhouseError('queue_full', message, { retryAfterSeconds: 1 });
    }
  }

  /** The turn of a prompt that an earlier host kept. Undefined in a shutdown. */
  #recoveredTurn(
    { body, detail, number, turnId }: EventRecord,
    standing: Pick<RecoveredTurn, 'asked' | 'spent'> = {},
  ): Turn | undefined {
    if (this.#parts.refusal.error !== undefined) return undefined;
    if (body.type !== 'user.message' || turnId === null) return undefined;
    return this.#newTurn(body.content, detail.prompt ?? {}, { turnId, number, ...standing });
  }

  #newTurn(
    content: PromptContent,
    request: PromptOptions & { readonly limits?: Partial<TurnLimits> | undefined },
    recovered?: RecoveredTurn,
  ): Turn {
    const { journal, limits, names, stop, telemetry } = this.#parts;
    return new Turn({
      content,
      model: request.model,
      system: request.system,
      answers: request.answers,
      agentOptions: journal.row.options,
      limits: { ...limits(), ...request.limits },
      telemetry,
      onLimit: (turn, phase) =>
        stopPastLimit({
          turn,
          phase,
          names: names(),
          telemetry,
          stop: (cause) => stop(turn, cause),
        }),
      ...(recovered !== undefined && { recovered }),
    });
  }

  /** The prompt is in the store: its handle, and its place in the queue. */
  #admit(turn: Turn, number: number, request: PromptRequest): StreamHandle {
    const { journal, queue, stop } = this.#parts;
    turn.recorded(number);
    const stream = new TurnStream({
      turn,
      firstNumber: number,
      log: journal.log,
      whenUnread: request.whenUnread ?? { policy: 'continue' },
      interrupt: (target) => stop(target, INTERRUPTED_BY_CLIENT),
      onAbandoned: (target) => void stop(target, ABANDONED),
    });
    this.#streams.set(turn, stream);
    const withdraw = (): void => {
      if (queue.includes(turn)) void stop(turn, WITHDRAWN);
    };
    request.signal?.addEventListener('abort', withdraw, { once: true });
    void turn.ended.then(() => request.signal?.removeEventListener('abort', withdraw));
    // It may have been stopped, by a limit or by its caller, while it was being recorded.
    if (turn.cause !== undefined) void queue.endUndelivered(turn, turn.cause);
    else if (request.signal?.aborted === true) withdraw();
    queue.advance();
    return stream;
  }
}

/** Notes turns of the tenant, all or none: how to say of each that it has ended. */
function admitAll(count: number, admitTurn: TurnIntakeParts['admitTurn']): (() => void)[] {
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

/** The answers among the events of a request, by their places in it. */
function answersIn(inputs: readonly PlannedInput[]): ClientAnswer[] {
  const events = inputs.flatMap((each) => each.events);
  return events.flatMap((body, index) => {
    const answer = answerIn(body);
    return answer === undefined ? [] : { ...answer, field: `events.${index}` };
  });
}
