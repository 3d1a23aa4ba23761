import type { Activity } from './activity.ts';
import type { ContextUse } from './context-use.ts';
import { Interruption } from './interruption.ts';
import type { Journal } from './journal.ts';
import type { Attachment, SessionLink } from './link.ts';
import type { SessionBudget } from './session-budget.ts';
import { endBy, type StopCause } from './stop-cause.ts';
import { driveTurn, type TurnOutcome, type TurnRun } from './turn-driver.ts';
import { effectiveEnd } from './turn-records.ts';
import type { Turn } from './turn.ts';
import { asRoundhouseError } from '../errors.ts';
import type { TurnEnd } from '../events/record.ts';
import type { LogFields, Telemetry } from '../telemetry/telemetry.ts';

export interface TurnRunnerParts {
  readonly activity: Activity;
  readonly journal: Journal;
  readonly link: SessionLink;
  readonly context: ContextUse;
  /** What the session may cost. Default: anything. */
  readonly budget?: SessionBudget | undefined;
  /** The turn has asked its client. Resolves when that is kept. */
  readonly awaitAnswers: (turn: Turn, attachment: Attachment) => Promise<void>;
  /** Stops a turn, wherever it stands. Resolves when it has ended: false when it had ended before. */
  readonly stop: (turn: Turn, cause: StopCause) => Promise<boolean>;
  /** A turn has ended, and its end is written. */
  readonly onEnd: (turn: Turn, end: TurnEnd) => void;
  /** A turn has failed. */
  readonly onFailure: () => void;
  /** What the session is called in the log. */
  readonly names: () => LogFields;
  readonly telemetry: Telemetry;
}

/**
 * What a turn on a process came to. `ended`: it is to be concluded. `left`: it has left the process before, and goes on
 * without, or has been ended there: whoever ran it on this one has nothing to do with it any more.
 */
export type Departure =
  | { readonly kind: 'ended'; readonly outcome: TurnOutcome }
  | { readonly kind: 'left' };

/** Runs turns on the attached process: each up to its end, or until it goes on without that process. */
export class TurnRunner {
  readonly #parts: TurnRunnerParts;

  constructor(parts: TurnRunnerParts) {
    this.#parts = parts;
  }

  /** Runs a prompt, to its end. */
  async run(turn: Turn, attachment: Attachment): Promise<void> {
    const departure = await this.drive(turn, attachment, 'prompt', driveTurn);
    if (departure.kind === 'ended') await this.conclude(turn, attachment, departure.outcome);
  }

  /** Runs a turn on a process, for as long as it is there, without ending it. Never rejects. */
  async drive(
    turn: Turn,
    attachment: Attachment,
    reason: string,
    drive: (run: TurnRun) => Promise<TurnOutcome>,
  ): Promise<Departure> {
    const { activity, journal, link, context, budget, awaitAnswers, stop, telemetry } = this.#parts;
    attachment.turns += 1;
    activity.run(turn, attachment, reason);
    const run = {
      turn,
      attachment,
      journal,
      context,
      telemetry,
      stop: (cause: StopCause) => void stop(turn, cause),
      pastBudget: budget && (() => budget.stops(turn.cost.spent)),
      awaitAnswers: () => awaitAnswers(turn, attachment),
    };
    const outcome = await drive(run).catch((error: unknown): TurnOutcome => ({
      end: endBy(asRoundhouseError(error)),
      usable: attachment.connection.process.alive,
    }));
    const { state } = activity;
    if (state.attachment !== attachment) return { kind: 'left' };
    if (state.name !== 'waiting' || outcome.usable) return { kind: 'ended', outcome };
    // Its process has gone, whoever has taken it. The turn waits on without.
    activity.waitAlone(turn);
    turn.cost.leaveBehind();
    // While the turn ran its end was the turn's to see; the process may have ended before the turn began to wait.
    if (link.attachment === attachment) void link.drop('process_ended', true);
    return { kind: 'left' };
  }

  /** Ends a turn that has come to its end on a process. What comes next depends on what is left of that. Never rejects. */
  async conclude(turn: Turn, attachment: Attachment, outcome: TurnOutcome): Promise<void> {
    const { activity, budget, journal, link, onEnd, onFailure } = this.#parts;
    const end = turn.cost.whole(effectiveEnd(outcome.end, turn.cause));
    if (end.reason === 'failed') onFailure();
    const budgetSpent = await budget?.isSpentBy(end);
    await journal.appendEnd(turn, end, true, budgetSpent);
    // Looked at again: it may have died while the end was being written, when its end was still the turn's to see.
    if (outcome.usable && attachment.connection.process.alive) {
      activity.rest(turn, 'turn_ended');
    } else {
      activity.rest(turn);
      void link.drop(turn.cause?.code ?? 'process_ended', turn.cause === undefined);
    }
    onEnd(turn, end);
  }

  /** Asks the process to end the turn that runs on it. Its end comes as any other does. */
  interrupt(turn: Turn, attachment: Attachment, cause: StopCause): void {
    const { process } = attachment.connection;
    if (cause.code === 'first_message_timeout') {
      // The process does not listen: there is nobody to interrupt. It is replaced.
      void process.destroy(cause.code);
      return;
    }
    const { activity, names, telemetry } = this.#parts;
    const interruption = new Interruption({ turn, process, names, telemetry });
    activity.interrupt(turn, attachment, interruption, cause.code);
    interruption.begin();
  }
}
