import type { TranscriptStore } from '../../../src/contracts/transcripts.ts';

/** A transcript store that refuses to append when it is told to. */
export class FailingTranscripts implements TranscriptStore {
  fails = false;
  readonly #inner: TranscriptStore;

  constructor(inner: TranscriptStore) {
    this.#inner = inner;
  }

  append: TranscriptStore['append'] = (key, entries) =>
    this.fails ? Promise.reject(new Error('disk full')) : this.#inner.append(key, entries);
  load: TranscriptStore['load'] = (key) => this.#inner.load(key);
  read: TranscriptStore['read'] = (key, page) => this.#inner.read(key, page);
  listSubpaths: TranscriptStore['listSubpaths'] = (id) => this.#inner.listSubpaths(id);
  replace: TranscriptStore['replace'] = (key, entries) => this.#inner.replace(key, entries);
}
