import type { Activity } from './activity.ts';
import { refusedAnswer, type AnswerEvent, type ClientAnswer } from './awaited-answers.ts';
import type { Journal } from './journal.ts';
import type { Attachment, SessionLink } from './link.ts';
import type { Refusal } from './refusal.ts';
import { endBy, isWish, type StopCause } from './stop-cause.ts';
import { takeUpTurn, type TakeUpTurnParts } from './take-up-turn.ts';
import { answerRecord, awaitingRecord, goesOnRecord } from './turn-records.ts';
import type { TurnRunner } from './turn-runner.ts';
import type { TurnStanding } from './turn-standing.ts';
import type { Turn } from './turn.ts';
import type { SessionRow } from '../contracts/session-store.ts';
import { asRoundhouseError } from '../errors.ts';
import type { NewRecord, TurnEnd } from '../events/record.ts';

export interface ClientWaitParts {
  readonly activity: Activity;
  readonly journal: Pick<Journal, 'append' | 'appendEnd'> & {
    readonly row: Pick<SessionRow, 'name'>;
  };
  readonly link: TakeUpTurnParts['link'] & Pick<SessionLink, 'giveUpTakeUp'>;
  readonly runner: TakeUpTurnParts['runner'] & Pick<TurnRunner, 'interrupt'>;
  readonly refusal: Refusal;
  /** The turn waits for its client: its process may be needed by somebody else. */
  readonly onRest: () => void;
  /** A turn has ended while it waited, and its end is written. */
  readonly onEnd: (turn: Turn, end: TurnEnd) => void;
}

/** Answers that may be given: what is to be appended, in one go, and what is to be done when that is kept. */
export interface AnswerPlan {
  readonly records: readonly NewRecord[];
  readonly act: () => void;
}

/**
 * The wait of a turn for its client: from where it asks, by the answers as they come, to where it goes on, in its process or
 * in another one, or is stopped. A process may be taken meanwhile, and its end is no event.
 */
export class ClientWait {
  readonly #parts: ClientWaitParts;
  /** Settles when no answers are being kept. */
  #answering: Promise<unknown> = Promise.resolve();
  /** Of the turn that is being taken up. */
  #takingUp: AbortController | undefined;

  constructor(parts: ClientWaitParts) {
    this.#parts = parts;
  }

  /** The turn has asked its client: that is kept, and its process may be taken from here on. */
  begin(turn: Turn, attachment: Attachment): Promise<void> {
    // Answers that are being kept at this moment are not asked for.
    return this.exclusively(() => this.#begin(turn, attachment));
  }

  /** Goes on with the wait of a turn of an earlier host, which stands in {@link Activity} as waiting. */
  resume(turn: Turn, at: TurnStanding['at']): void {
    if (at === 'answered') void this.#takeUp(turn);
    else turn.awaitClient();
  }

  /** See `SessionClient.answer`. */
  answer(answers: readonly ClientAnswer[]): Promise<void> {
    const { journal, refusal } = this.#parts;
    return this.exclusively(async () => {
      const plan = this.plan(answers);
      await journal.append(plan.records).catch((error: unknown) => {
        throw refusal.whyNotWritten(error);
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
   * Checks answers, and says what is to be appended for them. Within {@link ClientWait.exclusively}; the plan holds until
   * that work ends. Throws `invalid_request`, or why the session takes no answers.
   */
  plan(answers: readonly ClientAnswer[]): AnswerPlan {
    this.#parts.refusal.throwIfBegun();
    const early = this.#planEarlyResults(answers);
    if (early !== undefined) return early;
    const { state } = this.#parts.activity;
    if (state.name !== 'waiting' || state.turn.cause !== undefined) {
      const { name } = this.#parts.journal.row;
      const message = `session ${name} awaits none. Read its last session.status_idle: it names the calls that wait, if any does`;
      throw refusedAnswer(answers[0], message);
    }
    const { turn } = state;
    turn.asked.check(answers);
    const bodies = answers.map(({ body }) => body);
    const remaining = turn.asked.remainingAfter(answers);
    const kept = bodies.map((body) => answerRecord(turn.id, body));
    if (remaining.length > 0) {
      const records = [...kept, awaitingRecord(turn.id, remaining)];
      return { records, act: () => turn.asked.take(bodies) };
    }
    const handed = this.#holderOf(turn) === undefined ? [] : turn.asked.carriedOut;
    const records = [...kept, goesOnRecord(turn.id, handed)];
    return { records, act: () => this.#goOn(turn, bodies, handed) };
  }

  /** Stops a turn that waits: in its process, if it has one, so that the agent knows. */
  async stop(turn: Turn, cause: StopCause): Promise<void> {
    const { activity, journal, link, runner, onEnd } = this.#parts;
    turn.stop(cause);
    const attachment = this.#holderOf(turn);
    if (attachment !== undefined) {
      activity.run(turn, attachment, 'stopped');
      runner.interrupt(turn, attachment, cause);
      return;
    }
    this.#takingUp?.abort(new Error('The turn was stopped.'));
    // What its process may still say is of no interest.
    activity.waitAlone(turn);
    // Before its end, behind which another turn may begin.
    await link.giveUpTakeUp();
    const end = turn.cost.whole(endBy(cause, isWish(cause) ? 'interrupted' : 'failed'));
    await journal.appendEnd(turn, end, true);
    if (activity.suspended === turn) activity.rest(turn, 'turn_ended');
    onEnd(turn, end);
  }

  async #begin(turn: Turn, attachment: Attachment): Promise<void> {
    const { activity, journal, onRest } = this.#parts;
    if (turn.cause !== undefined || turn.asked.remaining.length === 0) return;
    await journal.append([awaitingRecord(turn.id, turn.asked.remaining)]);
    // Stopped meanwhile: then that is under way.
    if (turn.end !== undefined || activity.name === 'interrupting') return;
    turn.awaitClient();
    activity.wait(turn, attachment);
    // Prompts can't run, and somebody else may need the process.
    onRest();
  }

  /**
   * The client may send the result of a tool of its own as soon as it sees the call, before the turn has come to wait for
   * it. Undefined when the turn does not run: then it waits, or nobody has called.
   */
  #planEarlyResults(answers: readonly ClientAnswer[]): AnswerPlan | undefined {
    const { state } = this.#parts.activity;
    if (state.name !== 'active' || state.turn.asked.size === 0) return undefined;
    const { turn, attachment } = state;
    turn.asked.check(answers);
    const bodies = answers.map(({ body }) => body);
    const act = (): void => {
      turn.asked.take(bodies);
      handDecisions(turn, attachment);
    };
    return { records: bodies.map((body) => answerRecord(turn.id, body)), act };
  }

  /** All answers are kept: the turn goes on, where it stands or in another process. */
  #goOn(turn: Turn, bodies: readonly AnswerEvent[], handed: readonly string[]): void {
    const { activity } = this.#parts;
    turn.asked.take(bodies);
    if (turn.cause !== undefined || activity.suspended !== turn) return;
    const attachment = this.#holderOf(turn);
    if (attachment === undefined) {
      void this.#takeUp(turn);
      return;
    }
    turn.asked.hand(handed);
    turn.answered('goes-on');
    activity.run(turn, attachment, 'answered');
    handDecisions(turn, attachment);
  }

  async #takeUp(turn: Turn): Promise<void> {
    const stopped = new AbortController();
    this.#takingUp = stopped;
    try {
      await takeUpTurn(turn, this.#parts, stopped.signal);
    } catch (error) {
      // Stopped: then that is under way. In a shutdown it stays in the store as it is, for the next host.
      if (turn.cause !== undefined || this.#parts.refusal.error !== undefined) return;
      await this.stop(turn, asRoundhouseError(error, 'session_connection_failed'));
    }
  }

  /** The process that holds the calls of a turn that waits. */
  #holderOf(turn: Turn): Attachment | undefined {
    const { activity, link } = this.#parts;
    const { state } = activity;
    if (state.name !== 'waiting' || state.turn !== turn) return undefined;
    const { attachment } = state;
    if (attachment === undefined || link.attachment !== attachment) return undefined;
    return attachment.connection.process.alive ? attachment : undefined;
  }
}

/** Gives the process what the client has answered, as far as it has. */
function handDecisions({ asked }: Turn, { connection: { process } }: Attachment): void {
  for (const { toolUseId, decision } of asked.decisions) process.answer(toolUseId, decision);
}
