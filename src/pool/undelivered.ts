import type { SessionRow, UnfinishedTurn } from '../contracts/session-store.ts';
import type { SessionClient } from '../session/session-client.ts';

/**
 * Prompts that an earlier host accepted and never delivered. They are taken up in the moment in which their session comes
 * into memory, whoever has asked for it, so that no later prompt of the session runs before them.
 */
export class Undelivered {
  readonly #prompts: Map<string, UnfinishedTurn[]>;
  readonly #ends = new Map<string, Promise<unknown>>();

  /** `prompts` of one session stand in their order. */
  constructor(prompts: readonly UnfinishedTurn[] = []) {
    this.#prompts = Map.groupBy(prompts, ({ session }) => session.id);
  }

  /** The sessions that have not come into memory yet. */
  get sessions(): SessionRow[] {
    return [...this.#prompts.values()].flatMap(([first]) => first?.session ?? []);
  }

  /** Whether a session has prompts, and has not come into memory yet. */
  has(sessionId: string): boolean {
    return this.#prompts.has(sessionId);
  }

  /** To be called when a session has come into memory, before anybody is given it. */
  takeUp(client: SessionClient): void {
    const prompts = this.#prompts.get(client.id);
    if (prompts === undefined) return;
    this.#prompts.delete(client.id);
    const streams = prompts.flatMap(({ prompt }) => client.resumePrompt(prompt) ?? []);
    this.#ends.set(client.id, Promise.all(streams.map(({ ended }) => ended)));
  }

  /** Settles when those of a session have ended; at once when it is not in memory. */
  async ended(sessionId: string): Promise<void> {
    await this.#ends.get(sessionId);
  }
}
