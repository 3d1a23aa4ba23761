import type { AgentOutput } from '../../contracts/agent-driver.ts';
import type { TurnEnd } from '../../events/record.ts';

/**
 * The states of a turn, in order:
 *
 *     written -> running -> ended
 *        └────────────────────^
 *
 * `written`: the prompt is on its way and nothing that arrives can belong to it. `running`: the process has taken it.
 * `ended`: it has its one end; whatever comes later belongs to nobody.
 */
type TurnState = 'written' | 'running' | 'ended';

/** One turn's outputs on their way to its one reader. Exactly one `ended`, as the last; see {@link TurnState}. */
export class AgentTurn implements AsyncIterableIterator<AgentOutput> {
  readonly promptId: string;
  /** Settles when the process has taken the prompt, or the turn has ended without. */
  readonly taken: Promise<void>;
  /** Settles when the turn has ended. */
  readonly finished: Promise<void>;
  readonly #settleTaken: () => void;
  readonly #settleFinished: () => void;
  #state: TurnState = 'written';
  #queue: AgentOutput[] = [];
  #next = 0;
  #reader: ((result: IteratorResult<AgentOutput, undefined>) => void) | undefined;
  /** The reader has left: outputs are dropped, the turn goes on. */
  #left = false;

  constructor(promptId: string) {
    this.promptId = promptId;
    const taken = Promise.withResolvers<void>();
    const finished = Promise.withResolvers<void>();
    this.taken = taken.promise;
    this.finished = finished.promise;
    this.#settleTaken = taken.resolve;
    this.#settleFinished = finished.resolve;
  }

  get running(): boolean {
    return this.#state === 'running';
  }

  get ended(): boolean {
    return this.#state === 'ended';
  }

  /** The process has taken the prompt. Only the first call counts. */
  accept(): void {
    if (this.#state !== 'written') return;
    this.#state = 'running';
    this.#emit({ kind: 'accepted' });
    this.#settleTaken();
  }

  /** Hands on an output; dropped once the turn has ended. */
  push(output: Exclude<AgentOutput, { kind: 'ended' | 'accepted' }>): void {
    if (this.#state !== 'ended') this.#emit(output);
  }

  /** Ends the turn. Only the first call counts. */
  end(end: TurnEnd, processUsable: boolean): void {
    if (this.#state === 'ended') return;
    this.#state = 'ended';
    this.#emit({ kind: 'ended', end, processUsable });
    this.#settleTaken();
    this.#settleFinished();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<AgentOutput, undefined>> {
    const value = this.#queue[this.#next];
    if (value !== undefined) {
      this.#next += 1;
      if (this.#next === this.#queue.length) {
        this.#queue = [];
        this.#next = 0;
      }
      return Promise.resolve({ value, done: false });
    }
    if (this.#state === 'ended' || this.#left) {
      return Promise.resolve({ value: undefined, done: true });
    }
    const { promise, resolve } = Promise.withResolvers<IteratorResult<AgentOutput, undefined>>();
    this.#reader = resolve;
    return promise;
  }

  return(): Promise<IteratorResult<AgentOutput, undefined>> {
    this.#left = true;
    this.#queue = [];
    this.#next = 0;
    return Promise.resolve({ value: undefined, done: true });
  }

  #emit(output: AgentOutput): void {
    if (this.#left) return;
    const reader = this.#reader;
    if (reader === undefined) {
      this.#queue.push(output);
      return;
    }
    this.#reader = undefined;
    reader({ value: output, done: false });
  }
}
