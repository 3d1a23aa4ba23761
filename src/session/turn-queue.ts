import type { Activity } from './activity.ts';
import { BudgetGate } from './budget-gate.ts';
import type { Journal } from './journal.ts';
import { isStartedWith, type Attachment, type SessionLink } from './link.ts';
import type { Refusal } from './refusal.ts';
import type { SessionBudget } from './session-budget.ts';
import { endBy, isWish, type StopCause } from './stop-cause.ts';
import type { Turn } from './turn.ts';
import { asRoundhouseError, type RoundhouseError } from '../errors.ts';
import type { TurnEnd } from '../events/record.ts';

export interface TurnQueueParts {
  readonly activity: Pick<Activity, 'name' | 'running'>;
  readonly journal: Pick<Journal, 'appendEnd'>;
  readonly link: Pick<
    SessionLink,
    'attachment' | 'ensureAttached' | 'giveUpUnneeded' | 'release' | 'status'
  >;
  readonly refusal: Pick<Refusal, 'error'>;
  /** What the session may cost. Default: anything. */
  readonly budget?: Pick<SessionBudget, 'stops'> | undefined;
  /** Called before a further turn on the same process. True when that is being taken first; then {@link TurnQueue.advance}. */
  readonly recycle: () => boolean;
  /** The first prompt has a process, and leaves the queue for it. */
  readonly run: (turn: Turn, attachment: Attachment) => void;
  /** A prompt has ended that no process has seen. */
  readonly onEnd: (turn: Turn, end: TurnEnd) => void;
}

/** The prompts that wait, in their order, and the way of the first of them to a process: its turn, the budget, a start. */
export class TurnQueue {
  readonly #parts: TurnQueueParts;
  readonly #turns: Turn[] = [];
  readonly #gate: BudgetGate | undefined;
  /** The prompt that a process is being awaited for, and how to give up that wait. */
  #connecting: { readonly turn: Turn; readonly wait: AbortController } | undefined;

  constructor(parts: TurnQueueParts) {
    this.#parts = parts;
    const { budget } = parts;
    this.#gate =
      budget &&
      new BudgetGate({
        budget,
        onLooked: (turn, cause) => {
          if (cause === undefined) this.advance();
          // In a shutdown the prompt stays in the store, undelivered, for the next host.
          else if (parts.refusal.error === undefined) void this.endUndelivered(turn, cause);
        },
      });
  }

  /** The turn that waits first. */
  get first(): Turn | undefined {
    return this.#turns[0];
  }

  /** How many wait. */
  get length(): number {
    return this.#turns.length;
  }

  includes(turn: Turn): boolean {
    return this.#turns.includes(turn);
  }

  /** A prompt waits from now on; it goes no further before its record has a number. */
  add(turn: Turn): void {
    this.#turns.push(turn);
  }

  /** Takes a turn out. False when it is not there. */
  remove(turn: Turn): boolean {
    const place = this.#turns.indexOf(turn);
    if (place < 0) return false;
    this.#turns.splice(place, 1);
    this.#gate?.forget(turn);
    return true;
  }

  /** Takes the next step for the first prompt, if there is one to take. */
  advance(): void {
    const { activity, link, refusal, recycle, run } = this.#parts;
    const turn = this.first;
    if (turn === undefined || turn.number === undefined || turn.cause !== undefined) return;
    if (refusal.error !== undefined || activity.name !== 'resting') return;
    if (this.#gate?.isOpenFor(turn) === false) return;
    const { attachment } = link;
    if (attachment === undefined) {
      // A connect that fails is told here first; what becomes of the turn is for the one who waits for that connect.
      if (this.#connecting?.turn === turn) return;
      if (link.status === 'disconnected' || link.status === 'error') void this.#connectFor(turn);
    } else if (!isStartedWith(attachment, turn.agentOptions)) {
      void link.release('options_changed');
    } else if (attachment.connection.process.alive) {
      if (attachment.turns > 0 && recycle()) return;
      this.remove(turn);
      run(turn, attachment);
    }
  }

  /** Ends a prompt that no process has seen. */
  async endUndelivered(turn: Turn, cause: StopCause): Promise<void> {
    if (!this.remove(turn)) return;
    const { activity, journal, link, onEnd } = this.#parts;
    // With the wait goes the start, unless somebody else needs it.
    if (this.#connecting?.turn === turn)
      this.#connecting.wait.abort(new Error('It waits no more.'));
    turn.stop(cause);
    const end = endBy(cause, isWish(cause) ? 'cancelled' : 'failed');
    link.giveUpUnneeded();
    await journal.appendEnd(turn, end, activity.running === undefined);
    onEnd(turn, end);
  }

  /** Ends all in memory only: in the store they stay for the next host. */
  endInMemory(error: RoundhouseError): void {
    for (const turn of this.#turns.splice(0)) turn.finish(endBy(error));
  }

  async #connectFor(turn: Turn): Promise<void> {
    const { link, refusal } = this.#parts;
    const connecting = { turn, wait: new AbortController() };
    this.#connecting = connecting;
    turn.starting();
    try {
      await link.ensureAttached(connecting.wait.signal);
    } catch (error) {
      // In a shutdown the prompt stays in the store, undelivered, for the next host.
      if (refusal.error === undefined)
        await this.endUndelivered(turn, asRoundhouseError(error, 'session_connection_failed'));
    }
    if (this.#connecting === connecting) this.#connecting = undefined;
    this.advance();
  }
}
