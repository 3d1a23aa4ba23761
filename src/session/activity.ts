import type { Interruption } from './interruption.ts';
import type { Attachment } from './link.ts';
import type { Turn } from './turn.ts';
import { monotonicMs } from '../time/clock.ts';

/**
 * - `resting`: no turn is on its way. `last`: the one that was, until it is forgotten.
 * - `active`: a turn runs on a process.
 * - `interrupting`: the same, and it is being stopped.
 * - `waiting`: a turn has asked its client. It may do so without a process.
 * - `taking-up`: it has its answers, and needs a process to go on in.
 */
type State =
  | { readonly name: 'resting'; readonly last: Turn | undefined; readonly attachment?: undefined }
  | { readonly name: 'active'; readonly turn: Turn; readonly attachment: Attachment }
  | {
      readonly name: 'interrupting';
      readonly turn: Turn;
      readonly attachment: Attachment;
      readonly interruption: Interruption;
    }
  | { readonly name: 'waiting'; readonly turn: Turn; readonly attachment: Attachment | undefined }
  | { readonly name: 'taking-up'; readonly turn: Turn; readonly attachment?: undefined };

/** What may be asked of an {@link Activity} by those that must not change it. */
export type ActivityView = Pick<
  Activity,
  | 'awaitsClient'
  | 'current'
  | 'interruption'
  | 'name'
  | 'restingSinceMs'
  | 'running'
  | 'suspended'
  | 'uninterrupted'
>;

/**
 * What the turns of a session are doing: at most one is on its way. Each change is one method here, for `SessionTurns` and its
 * parts; whoever only wants to know has an {@link ActivityView}.
 */
export class Activity {
  readonly #onChange: (reason: string) => void;
  #state: State = { name: 'resting', last: undefined };
  #restingSinceMs = monotonicMs();

  /** `onChange` is called after a change, unless the process goes with it: then the link changes too, and tells. */
  constructor(onChange: (reason: string) => void) {
    this.#onChange = onChange;
  }

  get state(): State {
    return this.#state;
  }

  get name(): State['name'] {
    return this.#state.name;
  }

  /** The turn that is on its way: it runs, or waits for its client, or for a process to go on in. */
  get current(): Turn | undefined {
    return this.#state.name === 'resting' ? undefined : this.#state.turn;
  }

  /** The same, or the last one until it is forgotten. */
  get latest(): Turn | undefined {
    return this.#state.name === 'resting' ? this.#state.last : this.#state.turn;
  }

  /** The turn that runs, also while it is being interrupted. */
  get running(): Turn | undefined {
    const { name } = this.#state;
    return name === 'active' || name === 'interrupting' ? this.#state.turn : undefined;
  }

  /** The turn that is on its way and does not run: it waits for its client, or has its answers and needs a process. */
  get suspended(): Turn | undefined {
    const { name } = this.#state;
    return name === 'waiting' || name === 'taking-up' ? this.#state.turn : undefined;
  }

  /** Whether nothing is waited for but the client: then the process may be taken. */
  get awaitsClient(): boolean {
    return this.#state.name === 'waiting';
  }

  /** The turn that is on its way, if it is not being interrupted. */
  get uninterrupted(): Turn | undefined {
    return this.#state.name === 'interrupting' ? undefined : this.current;
  }

  /** Of the turn that runs, if it is being interrupted. */
  get interruption(): Interruption | undefined {
    return this.#state.name === 'interrupting' ? this.#state.interruption : undefined;
  }

  /**
   * When the last turn ended, or began to wait for its client, or the session got its process or came into memory after that;
   * on the monotonic clock.
   */
  get restingSinceMs(): number {
    return this.#restingSinceMs;
  }

  /** A turn runs on a process: its prompt is about to be delivered, or it goes on. */
  run(turn: Turn, attachment: Attachment, reason: string): void {
    this.#to({ name: 'active', turn, attachment }, reason);
  }

  /** The turn that runs is being stopped. */
  interrupt(turn: Turn, attachment: Attachment, interruption: Interruption, reason: string): void {
    this.#to({ name: 'interrupting', turn, attachment, interruption }, reason);
  }

  /** The turn that runs has asked its client, and waits. */
  wait(turn: Turn, attachment: Attachment): void {
    this.#restingSinceMs = monotonicMs();
    this.#to({ name: 'waiting', turn, attachment }, 'answers_awaited');
  }

  /** The turn waits for its client without a process. */
  waitAlone(turn: Turn): void {
    this.#to({ name: 'waiting', turn, attachment: undefined });
  }

  /** The turn has its answers, and needs a process, which is another one than it had. */
  takeUp(turn: Turn): void {
    this.#to({ name: 'taking-up', turn });
  }

  /** The turn is over. No reason: its process goes too. */
  rest(last: Turn | undefined, reason?: string): void {
    this.#restingSinceMs = monotonicMs();
    this.#to({ name: 'resting', last }, reason);
  }

  /** The session has got a process. */
  attached(): void {
    this.#restingSinceMs = monotonicMs();
  }

  /** Forgets the last turn, if none is on its way. */
  forget(): void {
    if (this.#state.name === 'resting') this.#state = { name: 'resting', last: undefined };
  }

  #to(next: State, reason?: string): void {
    if (this.#state.name === 'interrupting') this.#state.interruption.over();
    this.#state = next;
    if (reason !== undefined) this.#onChange(reason);
  }
}
