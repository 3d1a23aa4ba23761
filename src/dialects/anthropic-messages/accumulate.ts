import type { MessageBody, MessageEvent } from './wire.ts';

/**
 * Adds the events of an answer up to the body of one that is not streamed, as the SDK's own accumulator does. An `error`
 * event leaves the body unfinished: look at the renderer's failure first.
 */
export class MessageAccumulator {
  #message: MessageBody | undefined;

  /** The message so far; undefined before its start. */
  get message(): MessageBody | undefined {
    return this.#message;
  }

  add(events: readonly MessageEvent[]): void {
    for (const event of events) this.#addOne(event);
  }

  #addOne(event: MessageEvent): void {
    if (event.type === 'message_start') {
      this.#message = { ...event.message, content: [] };
      return;
    }
    const message = this.#message;
    if (message === undefined) return;
    switch (event.type) {
      case 'content_block_start':
        message.content.push({ ...event.content_block });
        return;
      case 'content_block_delta':
        this.#addDelta(message, event);
        return;
      case 'message_delta':
        Object.assign(message, event.delta);
        message.usage = { ...message.usage, ...definedUsage(event.usage) };
        return;
      case 'content_block_stop':
      case 'message_stop':
      case 'error':
        return;
      default:
        event satisfies never;
    }
  }

  #addDelta(
    message: MessageBody,
    { index, delta }: Extract<MessageEvent, { type: 'content_block_delta' }>,
  ): void {
    const block = message.content[index];
    if (block?.type === 'text' && delta.type === 'text_delta') block.text += delta.text;
    if (block?.type !== 'thinking') return;
    if (delta.type === 'thinking_delta') block.thinking += delta.thinking;
    if (delta.type === 'signature_delta') block.signature = delta.signature;
  }
}

type DeltaUsage = Extract<MessageEvent, { type: 'message_delta' }>['usage'];

/** `input_tokens` may be null in a delta, never in a message; ours never is, and the type must agree. */
function definedUsage(usage: DeltaUsage): DeltaUsage & { input_tokens: number } {
  return { ...usage, input_tokens: usage.input_tokens ?? 0 };
}
