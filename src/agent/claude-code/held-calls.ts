import type { CallAnswer } from '../../contracts/answerer.ts';
import { after, type Timer } from '../../time/timers.ts';

/** How long the transcript up to a call may take to reach the store; it takes some 50 to 300 ms. */
const COMMIT_LIMIT_MS = 3_000;

export interface HeldCallsParts {
  /** Whether the store has the call of that id, or can't be waited for. */
  readonly isCommitted: (toolUseId: string) => boolean;
  /** The store still lacks a call after {@link COMMIT_LIMIT_MS}: puts it there. Never rejects. */
  readonly commit: () => Promise<void>;
  /** Tells the reader of the turn that these calls wait, and nothing else goes on. */
  readonly tell: (toolUseIds: readonly string[]) => void;
}

/** A call of which the client is asked, or will be. */
interface Question {
  /** Set when the agent has come to it, and waits. */
  readonly held: PromiseWithResolvers<CallAnswer>;
  isHeld: boolean;
}

/**
 * The calls of one turn that wait for their client. It is told of them when nothing goes on any more: the message that
 * makes them is complete, what it began before them has its results, and the transcript is in the store. Then the process
 * may be taken, and no call has been begun that another process would repeat. Those that the agent has not come to yet are
 * among them, so that all of a message are answered together; their answers wait for the agent.
 */
export class HeldCalls {
  readonly #parts: HeldCallsParts;
  readonly #questions = new Map<string, Question>();
  readonly #answers = new Map<string, CallAnswer>();
  /** Calls that the agent carries out. */
  readonly #begun = new Set<string>();
  #messageOpen = false;
  #told = '';
  #commitTimer: Timer | undefined;
  #committing = false;

  constructor(parts: HeldCallsParts) {
    this.#parts = parts;
  }

  /** A message of the model begins or ends; its calls are not complete before. */
  set messageOpen(open: boolean) {
    this.#messageOpen = open;
    if (!open) this.look();
  }

  /** The model has made a call that the client will be asked about. */
  expect(toolUseId: string): void {
    if (!this.#answers.has(toolUseId)) this.#question(toolUseId);
  }

  /** The agent carries out a call that needs no answer. */
  begin(toolUseId: string): void {
    this.#begun.add(toolUseId);
  }

  /** A call has its result. */
  finish(toolUseId: string): void {
    this.#begun.delete(toolUseId);
    this.#questions.delete(toolUseId);
    this.look();
  }

  /** The agent has come to a call: settles with the answer. Having been told by a hook, it may come once more, by itself. */
  hold(toolUseId: string): Promise<CallAnswer> {
    const answer = this.#answers.get(toolUseId);
    if (answer !== undefined) return Promise.resolve(answer);
    this.#begun.delete(toolUseId);
    const question = this.#question(toolUseId);
    question.isHeld = true;
    this.look();
    return question.held.promise;
  }

  /** The answer to a call. False when no such call waits. */
  answer(toolUseId: string, answer: CallAnswer): boolean {
    const question = this.#questions.get(toolUseId);
    if (question === undefined) return false;
    this.#questions.delete(toolUseId);
    this.#answers.set(toolUseId, answer);
    question.held.resolve(answer);
    return true;
  }

  /** The answer that a call has got. */
  answerTo(toolUseId: string): CallAnswer | undefined {
    return this.#answers.get(toolUseId);
  }

  /** Whether the agent waits for an answer. */
  get waiting(): boolean {
    return [...this.#questions.values()].some(({ isHeld }) => isHeld);
  }

  /** Something has changed: tells what is awaited, if nothing else goes on and it is another set than the last. */
  look(): void {
    if (this.#messageOpen || this.#begun.size > 0 || !this.waiting) return;
    const ids = [...this.#questions.keys()];
    if (!ids.every((id) => this.#parts.isCommitted(id))) {
      this.#commitTimer ??= after(COMMIT_LIMIT_MS, () => void this.#commit());
      return;
    }
    this.#tell(ids);
  }

  /** The turn is over. */
  close(): void {
    this.#commitTimer?.cancel();
    this.#questions.clear();
  }

  #question(toolUseId: string): Question {
    const known = this.#questions.get(toolUseId);
    if (known !== undefined) return known;
    const question = { held: Promise.withResolvers<CallAnswer>(), isHeld: false };
    this.#questions.set(toolUseId, question);
    return question;
  }

  async #commit(): Promise<void> {
    if (this.#committing) return;
    this.#committing = true;
    await this.#parts.commit();
    this.#committing = false;
    this.#commitTimer = undefined;
    // Whatever came of it: nobody must wait for ever to be asked.
    if (!this.#messageOpen && this.#begun.size === 0 && this.waiting)
      this.#tell([...this.#questions.keys()]);
  }

  #tell(ids: readonly string[]): void {
    this.#commitTimer?.cancel();
    this.#commitTimer = undefined;
    const told = ids.join(' ');
    if (told === this.#told) return;
    this.#told = told;
    this.#parts.tell(ids);
  }
}
