import type { SessionKey, SessionStore, SessionStoreEntry } from '@anthropic-ai/claude-agent-sdk';

import type { TranscriptEntry, TranscriptStore } from '../../contracts/transcripts.ts';
import type { Logger } from '../../telemetry/telemetry.ts';
import { addEntries } from './transcript-merge.ts';
import { toolCallsOf } from './transcript.ts';

/**
 * The SDK's `sessionStore` over ours: everything that the process writes comes here, and nothing is loaded from here. With a
 * `load` that has nothing the CLI resumes from its own local file, which we have written; otherwise the SDK would unpack
 * the transcript into a folder of its own, which leaks when the host dies.
 */
export class TranscriptMirror implements SessionStore {
  readonly #agentSessionId: string;
  readonly #transcripts: TranscriptStore;
  readonly #log: Logger;
  readonly #running = new Set<Promise<unknown>>();
  /** Called when the store has got entries of the main transcript. */
  onStored: () => void = () => {};
  /** Calls of this turn that the store has, by id. */
  readonly #storedCalls = new Set<string>();
  /** Of the main transcript. An entry that the store would not take is among them: the agent's own file has it. */
  readonly #uuidsOfTurn = new Set<string>();
  /** Those of them that the store has. */
  readonly #storedUuids = new Set<string>();
  /** Settles when nothing but an append may be under way. */
  #free: Promise<unknown> = Promise.resolve();

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
    const subpath = key.subpath ?? '';
    for (const { uuid } of entries) {
      if (subpath === '' && uuid !== undefined) this.#uuidsOfTurn.add(uuid);
    }
    const to = { agentSessionId: this.#agentSessionId, subpath };
    const stored = this.#free.then(() => this.#transcripts.append(to, entries));
    return this.#follow(subpath === '' ? stored.then(() => this.#noteStored(entries)) : stored);
  }

  /** Whether the store has the call of that id, and so all that was handed on before it. */
  hasCall(toolUseId: string): boolean {
    return this.#storedCalls.has(toolUseId);
  }

  /** Whether the store has that entry of this turn. */
  hasEntry(uuid: string): boolean {
    return this.#storedUuids.has(uuid);
  }

  /** Uuids of the entries that were handed on since the last {@link TranscriptMirror.beginTurn}. */
  get uuidsOfTurn(): ReadonlySet<string> {
    return this.#uuidsOfTurn;
  }

  beginTurn(): void {
    this.#uuidsOfTurn.clear();
    this.#storedUuids.clear();
    this.#storedCalls.clear();
  }

  /** Adds what the main transcript lacks of the entries that `entriesFor` gives; appends wait until it is done. */
  async complete(
    entriesFor: (stored: readonly TranscriptEntry[]) => readonly TranscriptEntry[],
  ): Promise<number> {
    await this.settled();
    const key = { agentSessionId: this.#agentSessionId, subpath: '' };
    const work = this.#follow(addEntries(this.#transcripts, key, entriesFor));
    this.#free = work.catch(() => {});
    return work;
  }

  load(): Promise<null> {
    return Promise.resolve(null);
  }

  /** Settles when no append is under way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  #noteStored(entries: readonly TranscriptEntry[]): void {
    for (const entry of entries) {
      if (entry.uuid !== undefined) this.#storedUuids.add(entry.uuid);
      for (const { toolUseId } of toolCallsOf(entry)) this.#storedCalls.add(toolUseId);
    }
    this.onStored();
  }

  #follow<T>(work: Promise<T>): Promise<T> {
    this.#running.add(work);
    const done = (): void => void this.#running.delete(work);
    work.then(done, done);
    return work;
  }
}
