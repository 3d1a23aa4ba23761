import type { SessionRow, UnfinishedTurn } from '../contracts/session-store.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { TurnStanding } from '../session/turn-standing.ts';

/** A turn that an earlier host left waiting for its client, or with answers that came to nothing. */
export interface WaitingTurn extends UnfinishedTurn {
  readonly standing: TurnStanding;
}

/**
 * What an earlier host accepted and left to be done: prompts that it never delivered, and turns that wait for their client.
 * They are taken up in the moment in which their session comes into memory, whoever has asked for it, so that no later
 * prompt of the session runs before them.
 */
export class Undelivered {
  readonly #prompts: Map<string, UnfinishedTurn[]>;
  readonly #waiting: Map<string, WaitingTurn>;
  readonly #ends = new Map<string, Promise<unknown>>();

  /**
   * `prompts` of one session stand in their order. `waiting`, by session id, may still grow: by sessions that could not be
   * read before.
   */
  constructor(
    prompts: readonly UnfinishedTurn[] = [],
    waiting: Map<string, WaitingTurn> = new Map(),
  ) {
    this.#prompts = Map.groupBy(prompts, ({ session }) => session.id);
    this.#waiting = waiting;
  }

  /**
   * The sessions that have not come into memory yet, and have something to do: one that waits for its client has not, nor
   * have the prompts behind that turn.
   */
  get sessions(): SessionRow[] {
    const prompts = [...this.#prompts.values()].flatMap(([first]) => first?.session ?? []);
    const answered = [...this.#waiting.values()].flatMap(({ session }) =>
      this.#prompts.has(session.id) ? [] : session,
    );
    return [...prompts, ...answered].filter(({ id }) => !this.waits(id));
  }

  /** Whether a session that has not come into memory yet waits for its client. */
  waits(sessionId: string): boolean {
    return this.#waiting.get(sessionId)?.standing.at === 'waits';
  }

  /** Whether a session has prompts, and has not come into memory yet. */
  has(sessionId: string): boolean {
    return this.#prompts.has(sessionId);
  }

  /** To be called when a session has come into memory, before anybody is given it. */
  takeUp(client: SessionClient): void {
    const waiting = this.#waiting.get(client.id);
    this.#waiting.delete(client.id);
    if (waiting !== undefined) client.resumeWaiting(waiting.prompt, waiting.standing);
    const prompts = this.#prompts.get(client.id);
    if (prompts === undefined) return;
    this.#prompts.delete(client.id);
    const streams = prompts.flatMap(({ prompt }) => client.resumePrompt(prompt) ?? []);
    // A turn that goes on may wait for its client again, for days; nobody waits for what stands behind it.
    if (waiting === undefined)
      this.#ends.set(client.id, Promise.all(streams.map(({ ended }) => ended)));
  }

  /** Settles when those of a session have ended; at once when it is not in memory. */
  async ended(sessionId: string): Promise<void> {
    await this.#ends.get(sessionId);
  }
}
