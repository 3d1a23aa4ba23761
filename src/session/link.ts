import { fingerprint } from './agent-options.ts';
import type { ConnectRequest, Connection, Connector } from './connector.ts';
import type { Refusal } from './refusal.ts';
import type { AgentOptions } from '../contracts/agent-driver.ts';
import { asRoundhouseError, errorText, RoundhouseError } from '../errors.ts';
import { monotonicMs } from '../time/clock.ts';
import { unlessAborted } from '../time/deadline.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** Back-off after failed connects: 0.5 s, doubled each time, at most 30 s. */
const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;

/** A process attached to the session. The client id names the attachment, and may change while the process stays. */
export interface Attachment {
  clientId: string;
  readonly connection: Connection;
  /** Fingerprint of the options that the process was started with. */
  readonly optionsKey: string;
  /** The options last seen to have that fingerprint; see {@link isStartedWith}. */
  options: AgentOptions;
  readonly sinceMs: number;
  /** Turns that it has begun. */
  turns: number;
  /** Its memory in bytes when it was last measured. */
  memoryBytes: number | undefined;
  /** A number from 0 to 1, drawn once, so that what starts together need not end together. */
  readonly lot: number;
}

interface ConnectOperation {
  readonly abort: AbortController;
  /** Aborted when nobody needs it any more; whoever comes before it has come to its end starts a new one if it fails. */
  readonly unneeded: AbortController;
  /** It does not wait for a slot; whoever needs the process starts one that does, if it fails. */
  readonly onlyIfFree: boolean;
  readonly done: Promise<void>;
  waiters: number;
}

type LinkState =
  | { readonly name: 'disconnected' }
  | { readonly name: 'connecting'; readonly operation: ConnectOperation }
  | { readonly name: 'attached'; readonly attachment: Attachment }
  | { readonly name: 'closing'; readonly done: Promise<void> }
  | {
      readonly name: 'error';
      readonly failure: RoundhouseError;
      readonly attempts: number;
      readonly retryAtMs: number;
    }
  | { readonly name: 'ended' };

export interface LinkParts {
  readonly sessionName: string;
  readonly connector: Connector;
  /** A session that takes nothing any more gets no process either. */
  readonly refusal: Pick<Refusal, 'throwIfBegun'>;
  /** What a process would be started with now. */
  readonly request: () => Omit<ConnectRequest, 'unneeded' | 'onlyIfFree'>;
  /** Whether a prompt needs a process; a connect that nobody needs is given up. */
  readonly needed: () => boolean;
  /** Called after every change of {@link SessionLink.status}. */
  readonly onChange: (reason: string) => void;
  /** A turn that runs sees the end of its process itself, and calls {@link SessionLink.drop}. */
  readonly isTurnRunning: () => boolean;
  /** The process is gone and its folder holds transcript entries that the store lacks. */
  readonly transcriptStale: (processFolder: string) => void;
  /** A process would not start. */
  readonly onFailure: () => void;
  readonly telemetry: Telemetry;
}

/**
 * A session's hold on a process: none, one that is starting, one that is attached, one that is going. There is never a
 * second one: a new process starts only when the old one, and everything it started, is gone.
 */
export class SessionLink {
  readonly #parts: LinkParts;
  #state: LinkState = { name: 'disconnected' };

  constructor(parts: LinkParts) {
    this.#parts = parts;
  }

  get status(): LinkState['name'] {
    return this.#state.name;
  }

  get attachment(): Attachment | undefined {
    return this.#state.name === 'attached' ? this.#state.attachment : undefined;
  }

  /** Whether a process is attached that takes prompts, or whose turn will see its end. */
  get isReady(): boolean {
    if (this.#state.name !== 'attached') return false;
    return this.#state.attachment.connection.process.alive || this.#parts.isTurnRunning();
  }

  /**
   * Makes sure that a process is attached. Joins a connect that is under way. Aborting `signal` gives up this wait only,
   * and the connect with it when nobody else waits and no prompt needs it. Where one would have to be started for a session
   * that refuses, it rejects with why that does.
   */
  async ensureAttached(signal?: AbortSignal): Promise<void> {
    for (;;) {
      switch (this.#state.name) {
        case 'attached': {
          const { attachment } = this.#state;
          if (this.isReady) return;
          // It is dying; until it is gone there must be no other.
          await unlessAborted(attachment.connection.process.exited, signal);
          // Its end may have been for a turn to see that has left it since.
          this.#onExit(attachment);
          break;
        }
        case 'closing':
          await unlessAborted(this.#state.done, signal);
          break;
        case 'connecting':
          await this.#join(this.#state.operation, signal);
          break;
        case 'error':
          this.#parts.refusal.throwIfBegun();
          this.#refuseInBackoff(this.#state);
          this.#startConnect(this.#state.attempts);
          break;
        case 'disconnected':
          // It may have begun to refuse while the last process went.
          this.#parts.refusal.throwIfBegun();
          this.#startConnect(0);
          break;
        case 'ended':
          throw new RoundhouseError(
            'session_ended',
            `Session ${this.#parts.sessionName} has ended; use a new id.`,
          );
        default:
          this.#state satisfies never;
      }
    }
  }

  /** Begins to attach a process where there is none, if that makes nobody wait. Its failure is nobody's. */
  attachIfFree(): void {
    if (this.#state.name === 'disconnected') this.#startConnect(0, true);
  }

  /** Takes on a process that was prepared ahead of its session. Only a link that never had one may. */
  adopt(connection: Connection, options: AgentOptions): void {
    this.#attach(connection, options);
  }

  /**
   * Ends the link and hands over its process, if that has begun a conversation of which nothing is there yet; it can serve
   * another session. Undefined, and nothing happens, where there is no such process.
   */
  surrender(reason: string): Attachment | undefined {
    const { attachment } = this;
    if (attachment === undefined || attachment.turns > 0) return undefined;
    const { process, generation } = attachment.connection;
    if (!process.alive || generation === undefined) return undefined;
    this.#to({ name: 'ended' }, reason);
    return attachment;
  }

  /** Closes the attached process in good order. Resolves when it is gone; at once when there is none. */
  release(reason: string): Promise<void> {
    if (this.#state.name === 'closing') return this.#state.done;
    if (this.#state.name !== 'attached') return Promise.resolve();
    const { process } = this.#state.attachment.connection;
    return this.#leave(() => process.close(), reason);
  }

  /** Lets go of a process that can't be used any more. `died`: it ended by itself, which makes the session unhealthy. */
  drop(reason: string, died: boolean): Promise<void> {
    if (this.#state.name !== 'attached') return Promise.resolve();
    const { process } = this.#state.attachment.connection;
    return this.#leave(() => process.destroy(reason), reason, died);
  }

  /** A connect that nobody waits for and no prompt needs is given up: it may be standing in the queue for a slot. */
  giveUpUnneeded(): void {
    if (
      this.#state.name !== 'connecting' ||
      this.#state.operation.waiters > 0 ||
      this.#parts.needed()
    )
      return;
    this.#state.operation.unneeded.abort(
      new RoundhouseError('turn_cancelled', 'Nobody waits for the session any more.'),
    );
  }

  /**
   * The turn that was to be taken up is stopped: its process is not to come, whoever else waits for one, since it would go on
   * by itself. Resolves when it is gone.
   */
  async giveUpTakeUp(): Promise<void> {
    if (this.#state.name === 'connecting') {
      const { done, unneeded } = this.#state.operation;
      unneeded.abort(new RoundhouseError('turn_cancelled', 'The turn was stopped.'));
      await done.catch(ignoreKeptInState);
    }
    // It may have come all the same.
    const { attachment } = this;
    if (attachment?.connection.takeUp !== undefined && attachment.turns === 0)
      await this.drop('of_no_use', false);
  }

  /** Nobody is to have a process: one that is on its way is given up, whoever waits for it. Resolves when it is gone. */
  async vacate(reason: RoundhouseError): Promise<void> {
    if (this.#state.name === 'connecting') {
      const { abort, done } = this.#state.operation;
      abort.abort(reason);
      await done.catch(ignoreKeptInState);
    }
    // It may have come all the same.
    await this.release(reason.code);
  }

  /** Ends whatever is there. Resolves when no process is left; afterwards nothing can be attached. */
  async end(reason: RoundhouseError): Promise<void> {
    for (;;) {
      switch (this.#state.name) {
        case 'connecting':
        case 'attached':
        case 'closing':
          await this.vacate(reason);
          break;
        case 'disconnected':
        case 'error':
          this.#to({ name: 'ended' }, reason.code);
          return;
        case 'ended':
          return;
        default:
          this.#state satisfies never;
      }
    }
  }

  #startConnect(attempts: number, onlyIfFree = false): void {
    const abort = new AbortController();
    const unneeded = new AbortController();
    const ways = { unneeded: unneeded.signal, onlyIfFree };
    const done = this.#connect(abort.signal, ways, attempts);
    done.catch(ignoreKeptInState);
    const operation = { abort, unneeded, onlyIfFree, done, waiters: 0 };
    this.#to({ name: 'connecting', operation }, 'needed');
  }

  async #connect(
    signal: AbortSignal,
    ways: Pick<ConnectRequest, 'unneeded' | 'onlyIfFree'>,
    attempts: number,
  ): Promise<void> {
    // Nothing here may fail before the state is `connecting`.
    await Promise.resolve();
    try {
      const request = { ...this.#parts.request(), ...ways };
      this.#attach(await this.#parts.connector.connect(request, signal), request.options);
    } catch (error) {
      const failure = asRoundhouseError(
        signal.aborted ? signal.reason : error,
        'session_connection_failed',
      );
      this.#connectFailed(failure, attempts + 1);
      throw failure;
    }
  }

  #attach(connection: Connection, options: AgentOptions): void {
    const { clientId } = connection;
    const attachment: Attachment = {
      clientId,
      connection,
      optionsKey: fingerprint(options),
      options,
      sinceMs: monotonicMs(),
      turns: 0,
      memoryBytes: undefined,
      lot: Math.random(),
    };
    this.#to({ name: 'attached', attachment }, 'connected');
    void connection.process.exited.then((exit) => {
      // It was surrendered; where the link has ended with its process, that was gone before.
      if (this.#state.name === 'ended') return;
      // Before anything else that waits for the end: the next process must not start without it.
      if (exit.transcriptStale) this.#parts.transcriptStale(connection.processFolder);
      this.#onExit(attachment);
    });
  }

  #connectFailed(failure: RoundhouseError, attempts: number): void {
    // Only a process that would not start is a fault of the session; a full pool or a shutdown is not.
    if (failure.code === 'session_connection_failed' || failure.code === 'agent_unavailable') {
      this.#parts.onFailure();
      const backoffMs = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** (attempts - 1));
      this.#to(
        { name: 'error', failure, attempts, retryAtMs: monotonicMs() + backoffMs },
        failure.code,
      );
    } else {
      this.#to({ name: 'disconnected' }, failure.code);
    }
  }

  async #join(operation: ConnectOperation, signal: AbortSignal | undefined): Promise<void> {
    operation.waiters += 1;
    try {
      await unlessAborted(operation.done, signal);
    } catch (error) {
      // Who joined an operation that was being given up did not give it up, and who needs a process waits for a slot.
      const halfHearted = operation.onlyIfFree || operation.unneeded.signal.aborted;
      if (!halfHearted || signal?.aborted === true) throw error;
    } finally {
      operation.waiters -= 1;
      this.giveUpUnneeded();
    }
  }

  #refuseInBackoff(state: Extract<LinkState, { name: 'error' }>): void {
    const waitMs = state.retryAtMs - monotonicMs();
    if (waitMs <= 0) return;
    throw new RoundhouseError(state.failure.code, state.failure.message, {
      cause: state.failure,
      retryAfterSeconds: Math.ceil(waitMs / 1000),
    });
  }

  #leave(end: () => Promise<unknown>, reason: string, died = false): Promise<void> {
    const done = Promise.resolve()
      .then(end)
      .catch((error: unknown) => {
        const { telemetry, sessionName } = this.#parts;
        telemetry.log.error('session_process_not_ended', {
          sessionId: sessionName,
          reason,
          error: errorText(error),
        });
      })
      .then(() => this.#to(died ? this.#unhealthy() : { name: 'disconnected' }, reason));
    this.#to({ name: 'closing', done }, reason);
    return done;
  }

  #onExit(attachment: Attachment): void {
    if (this.attachment !== attachment || this.#parts.isTurnRunning()) return;
    this.#to(this.#unhealthy(), 'process_ended');
  }

  #unhealthy(): LinkState {
    const failure = new RoundhouseError(
      'session_connection_failed',
      `The agent process of session ${this.#parts.sessionName} ended by itself.`,
    );
    return { name: 'error', failure, attempts: 0, retryAtMs: monotonicMs() };
  }

  #to(next: LinkState, reason: string): void {
    this.#state = next;
    this.#parts.onChange(reason);
  }
}

/**
 * Whether the process was started with options of the same fingerprint. Options are never changed in place, so those that
 * were equal once need no second look.
 */
export function isStartedWith(attachment: Attachment, options: AgentOptions): boolean {
  if (attachment.options === options) return true;
  if (attachment.optionsKey !== fingerprint(options)) return false;
  attachment.options = options;
  return true;
}

/** The failure is in the state, and in the hands of those who wait. */
function ignoreKeptInState(): void {}
