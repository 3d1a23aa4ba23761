import type { SessionStore } from '../../src/contracts/session-store.ts';
import type { TranscriptStore } from '../../src/contracts/transcripts.ts';
import { RoundhouseError } from '../../src/errors.ts';

/**
 * One host's view of a store. After {@link CrashableStore.crash} nothing that the host does reaches the store any more, and
 * nothing that it waits for there ever comes: the rest of its code stands still, as if its process had died.
 */
export class CrashableStore implements SessionStore {
  readonly transcripts: TranscriptStore;
  readonly #store: SessionStore;
  #crashed = false;
  #failingAppends = 0;

  constructor(store: SessionStore) {
    this.#store = store;
    const { transcripts } = store;
    this.transcripts = {
      append: (...call) => this.#reach(() => transcripts.append(...call)),
      load: (...call) => this.#reach(() => transcripts.load(...call)),
      read: (...call) => this.#reach(() => transcripts.read(...call)),
      listSubpaths: (...call) => this.#reach(() => transcripts.listSubpaths(...call)),
      replace: (...call) => this.#reach(() => transcripts.replace(...call)),
    };
  }

  crash(): void {
    this.#crashed = true;
  }

  /** Lets the next appends of events fail. */
  failAppends(times: number): void {
    this.#failingAppends = times;
  }

  createSession: SessionStore['createSession'] = (...call) =>
    this.#reach(() => this.#store.createSession(...call));
  forkSession: SessionStore['forkSession'] = (...call) =>
    this.#reach(() => this.#store.forkSession(...call));
  getSession: SessionStore['getSession'] = (...call) =>
    this.#reach(() => this.#store.getSession(...call));
  findSession: SessionStore['findSession'] = (...call) =>
    this.#reach(() => this.#store.findSession(...call));
  listSessions: SessionStore['listSessions'] = (...call) =>
    this.#reach(() => this.#store.listSessions(...call));
  staleTranscriptFolders: SessionStore['staleTranscriptFolders'] = () =>
    this.#reach(() => this.#store.staleTranscriptFolders());
  countSessions: SessionStore['countSessions'] = (...call) =>
    this.#reach(() => this.#store.countSessions(...call));
  claimSession: SessionStore['claimSession'] = (...call) =>
    this.#reach(() => this.#store.claimSession(...call));
  readEvents: SessionStore['readEvents'] = (...call) =>
    this.#reach(() => this.#store.readEvents(...call));
  listEvents: SessionStore['listEvents'] = (...call) =>
    this.#reach(() => this.#store.listEvents(...call));
  processedAt: SessionStore['processedAt'] = (...call) =>
    this.#reach(() => this.#store.processedAt(...call));
  numberOfEvent: SessionStore['numberOfEvent'] = (...call) =>
    this.#reach(() => this.#store.numberOfEvent(...call));
  findRequest: SessionStore['findRequest'] = (...call) =>
    this.#reach(() => this.#store.findRequest(...call));
  trimEvents: SessionStore['trimEvents'] = (...call) =>
    this.#reach(() => this.#store.trimEvents(...call));
  lastEventNumber: SessionStore['lastEventNumber'] = (...call) =>
    this.#reach(() => this.#store.lastEventNumber(...call));
  unfinishedTurns: SessionStore['unfinishedTurns'] = (...call) =>
    this.#reach(() => this.#store.unfinishedTurns(...call));
  givenContent: SessionStore['givenContent'] = (...call) =>
    this.#reach(() => this.#store.givenContent(...call));
  deleteSession: SessionStore['deleteSession'] = (...call) =>
    this.#reach(() => this.#store.deleteSession(...call));
  close: SessionStore['close'] = () => this.#reach(() => this.#store.close());

  append: SessionStore['append'] = (...call) =>
    this.#reach(() => {
      if (this.#failingAppends === 0) return this.#store.append(...call);
      this.#failingAppends -= 1;
      return Promise.reject(new RoundhouseError('storage_failed', 'The disk is full.'));
    });

  async #reach<T>(work: () => Promise<T>): Promise<T> {
    // As with a real store, others run before the answer comes.
    await Promise.resolve();
    if (this.#crashed) return new Promise<T>(() => {});
    return work();
  }
}
