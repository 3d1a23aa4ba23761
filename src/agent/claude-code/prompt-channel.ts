import type { SDKUserMessage } from '@anthropic-ai/claude-agent-sdk';

/**
 * The input of an agent process: open for its whole life, because the process leaves when its input ends. Holds one message
 * at most; the process keeps the rule of one prompt in flight.
 */
export class PromptChannel implements AsyncIterable<SDKUserMessage> {
  readonly #waiting: SDKUserMessage[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  /** Writes a message; nothing happens after {@link PromptChannel.close}. */
  write(message: SDKUserMessage): void {
    if (this.#closed) return;
    this.#waiting.push(message);
    this.#wake?.();
  }

  /** Ends the input. May be called twice. */
  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SDKUserMessage, void> {
    for (;;) {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        yield next;
      }
      if (this.#closed) return;
      const woken = Promise.withResolvers<void>();
      this.#wake = woken.resolve;
      await woken.promise;
    }
  }
}
