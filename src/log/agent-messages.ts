import type { AgentMessage, AgentWatcher } from '../contracts/agent-watcher.ts';

/** What may wait for one reader, in characters, and the longest single message. Beyond it messages are left out, and counted. */
const MAX_WAITING_CHARS = 1_048_576;

/** What a reader gets: a message, or how many it has missed since the one before. */
export type WatchedMessage = { readonly message: AgentMessage } | { readonly missed: number };

/**
 * What agents say, live, for those who look at it, and kept nowhere. A reader that does not drain misses messages and is
 * told how many; nobody waits for it.
 */
export class AgentMessages implements AgentWatcher {
  readonly #readers = new Map<string, Set<Reader>>();
  readonly #end = new AbortController();

  watches(sessionId: string): boolean {
    return this.#readers.has(sessionId);
  }

  show(sessionId: string, message: AgentMessage): void {
    for (const reader of this.#readers.get(sessionId) ?? []) reader.offer(message);
  }

  /**
   * From now on, whatever process serves the session, until the signal aborts, the iteration is left or all end; each element
   * is what has come since the one before.
   */
  async *follow(
    sessionId: string,
    signal: AbortSignal,
  ): AsyncGenerator<readonly WatchedMessage[], void, undefined> {
    const reader = new Reader();
    const readers = this.#readers.get(sessionId) ?? new Set();
    this.#readers.set(sessionId, readers.add(reader));
    const over = AbortSignal.any([signal, this.#end.signal]);
    over.addEventListener('abort', () => reader.wake(), { once: true });
    try {
      while (!over.aborted) {
        const waiting = reader.take();
        if (waiting.length > 0) yield waiting;
        else await reader.woken();
      }
    } finally {
      readers.delete(reader);
      if (readers.size === 0) this.#readers.delete(sessionId);
    }
  }

  /** Ends all that follow, now and later. */
  close(): void {
    this.#end.abort();
  }
}

/** What waits for one reader. */
class Reader {
  #waiting: WatchedMessage[] = [];
  #chars = 0;
  #missed = 0;
  #wake: (() => void) | undefined;

  offer(message: AgentMessage): void {
    if (this.#chars + message.json.length > MAX_WAITING_CHARS) {
      this.#missed += 1;
    } else {
      this.#noteMissed();
      this.#waiting.push({ message });
      this.#chars += message.json.length;
    }
    this.wake();
  }

  take(): readonly WatchedMessage[] {
    this.#noteMissed();
    const taken = this.#waiting;
    this.#waiting = [];
    this.#chars = 0;
    return taken;
  }

  wake(): void {
    this.#wake?.();
  }

  woken(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #noteMissed(): void {
    if (this.#missed > 0) this.#waiting.push({ missed: this.#missed });
    this.#missed = 0;
  }
}
