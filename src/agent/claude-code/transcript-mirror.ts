import type { SessionKey, SessionStore, SessionStoreEntry } from '@anthropic-ai/claude-agent-sdk';

import type { TranscriptStore } from '../../contracts/transcripts.ts';
import type { Logger } from '../../telemetry/telemetry.ts';

/**
 * The SDK's `sessionStore` over ours: everything that the process writes comes here, and nothing is loaded from here. With a
 * `load` that has nothing the CLI resumes from its own local file, which we have written; otherwise the SDK would unpack
 * the transcript into a folder of its own, which leaks when the host dies.
 */
export class TranscriptMirror implements SessionStore {
  readonly #agentSessionId: string;
  readonly #transcripts: TranscriptStore;
  readonly #log: Logger;
  readonly #running = new Set<Promise<void>>();

  constructor(agentSessionId: string, transcripts: TranscriptStore, log: Logger) {
    this.#agentSessionId = agentSessionId;
    this.#transcripts = transcripts;
    this.#log = log;
  }

  /** A rejection is repeated by the SDK, three times in all, and then told as `mirror_error`. */
  append(key: SessionKey, entries: SessionStoreEntry[]): Promise<void> {
    if (key.sessionId !== this.#agentSessionId) {
      // The CLI has begun another conversation in the same process; nothing that we send makes it do so.
      this.#log.warn('agent_foreign_transcript', { agentSessionId: this.#agentSessionId });
      return Promise.resolve();
    }
    const work = this.#transcripts.append(
      { agentSessionId: this.#agentSessionId, subpath: key.subpath ?? '' },
      entries,
    );
    this.#running.add(work);
    const done = (): void => void this.#running.delete(work);
    work.then(done, done);
    return work;
  }

  load(): Promise<null> {
    return Promise.resolve(null);
  }

  /** Settles when no append is under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }
}
