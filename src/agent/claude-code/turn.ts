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

/**
 * One turn's outputs on their way to its one reader, who gets everything that has come at once. Exactly one `ended`, as the
 * last; see {@link TurnState}.
 */
export class AgentTurn implements AsyncIterableIterator<readonly AgentOutput[]> {
  readonly promptId: string;
  /** Settles when the process has taken the prompt, or the turn has ended without. */
  readonly taken: Promise<void>;
  /** Settles when the turn has ended. */
  readonly finished: Promise<void>;
  readonly #settleTaken: () => void;
  readonly #settleFinished: () => void;
  #state: TurnState = 'written';
  #queue: AgentOutput[] = [];
  #wake: (() => void) | undefined;
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

  async next(): Promise<IteratorResult<readonly AgentOutput[], undefined>> {
    while (this.#queue.length === 0) {
      if (this.#state === 'ended' || this.#left) return { value: undefined, done: true };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    const outputs = this.#queue;
    this.#queue = [];
    return { value: outputs, done: false };
  }

  return(): Promise<IteratorResult<readonly AgentOutput[], undefined>> {
    this.#left = true;
    this.#queue = [];
    return Promise.resolve({ value: undefined, done: true });
  }

  #emit(output: AgentOutput): void {
    if (this.#left) return;
    this.#queue.push(output);
    const wake = this.#wake;
    if (wake === undefined) return;
    this.#wake = undefined;
    // Behind the microtasks of this tick: the messages of one read from the process arrive in them, one after the other.
    process.nextTick(wake);
  }
}
