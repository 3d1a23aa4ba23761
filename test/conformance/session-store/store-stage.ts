import type { NewSession, SessionRow, SessionStore } from '../../../src/contracts/session-store.ts';
import { numbersOf } from '../../support/session-events.ts';
import { aSession } from '../session-samples.ts';

/** An opened store; `reopen` closes it and opens what it kept, and is absent where nothing is kept. */
export interface OpenedStore {
  readonly store: SessionStore;
  readonly reopen?: () => Promise<SessionStore>;
}

/** What the chapters of the contract play on: a store that each test has for itself. */
export class StoreStage {
  #opened: OpenedStore | undefined;

  async open(open: () => Promise<OpenedStore>): Promise<void> {
    this.#opened = await open();
  }

  get store(): SessionStore {
    if (this.#opened === undefined) throw new Error('The store opens before the test.');
    return this.#opened.store;
  }

  /** Whether it keeps something over {@link StoreStage.reopen}. */
  get keeps(): boolean {
    return this.#opened?.reopen !== undefined;
  }

  /** Closes the store and opens what it kept. Where it keeps nothing it stays as it is. */
  async reopen(): Promise<void> {
    const reopen = this.#opened?.reopen;
    if (reopen !== undefined) this.#opened = { store: await reopen(), reopen };
  }

  create(over: Partial<NewSession> = {}): Promise<SessionRow> {
    return this.store.createSession(aSession(over));
  }

  /** Numbers of all records of a session that are there. */
  async keptNumbers(id: string): Promise<number[]> {
    return numbersOf(await this.store.readEvents(id, 0, 10_000));
  }

  async unfinished(): Promise<{ turnId: string | null; delivered: boolean }[]> {
    return (await this.store.unfinishedTurns()).map(({ prompt, delivered }) => ({
      turnId: prompt.turnId,
      delivered,
    }));
  }
}
