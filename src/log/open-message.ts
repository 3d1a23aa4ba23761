import { GrowingText } from '../events/growing-text.ts';
import type { Preview, PreviewBlock } from '../events/preview.ts';

interface OpenBlock {
  readonly index: number;
  readonly block: PreviewBlock;
  readonly eventId: string;
  readonly text: GrowingText;
  stopped: boolean;
}

/**
 * The model message that is being written now, as the previews so far add up: what a reader who joins in the middle must
 * be shown first. A block leaves when the record that completes it is appended.
 */
export class OpenMessage {
  #start: Extract<Preview, { kind: 'message_start' }> | undefined;
  #turnId = '';
  readonly #blocks = new Map<number, OpenBlock>();

  observe(turnId: string, preview: Preview): void {
    switch (preview.kind) {
      case 'message_start':
        this.#start = preview;
        this.#turnId = turnId;
        this.#blocks.clear();
        return;
      case 'block_start':
        this.#blocks.set(preview.index, {
          index: preview.index,
          block: preview.block,
          eventId: preview.eventId,
          text: new GrowingText(),
          stopped: false,
        });
        return;
      case 'text_delta':
      case 'thinking_delta':
      case 'tool_input_delta': {
        const piece = preview.kind === 'tool_input_delta' ? preview.json : preview.text;
        this.#blocks.get(preview.index)?.text.add(piece);
        return;
      }
      case 'block_stop': {
        const block = this.#blocks.get(preview.index);
        if (block !== undefined) block.stopped = true;
        return;
      }
      default:
        preview satisfies never;
    }
  }

  /** The record of the block is in the log: its previews are of no more use. */
  completeBlock(messageId: string | undefined, index: number | undefined): void {
    if (messageId === this.#start?.messageId && index !== undefined) this.#blocks.delete(index);
  }

  /** The message is complete, or will never be. */
  clear(): void {
    this.#start = undefined;
    this.#blocks.clear();
  }

  /** Previews that bring a new reader to where the others are; each block's text in one delta. */
  snapshot(): { readonly turnId: string; readonly preview: Preview }[] {
    if (this.#start === undefined) return [];
    const { messageId } = this.#start;
    const previews: Preview[] = [this.#start];
    for (const { index, block, eventId, text, stopped } of this.#blocks.values()) {
      previews.push({ kind: 'block_start', messageId, index, block, eventId });
      if (text.length > 0) previews.push(deltaOf(block, messageId, index, text.toString()));
      if (stopped) previews.push({ kind: 'block_stop', messageId, index });
    }
    return previews.map((preview) => ({ turnId: this.#turnId, preview }));
  }
}

function deltaOf(block: PreviewBlock, messageId: string, index: number, text: string): Preview {
  switch (block.type) {
    case 'text':
      return { kind: 'text_delta', messageId, index, text };
    case 'thinking':
      return { kind: 'thinking_delta', messageId, index, text };
    case 'tool_use':
      return { kind: 'tool_input_delta', messageId, index, json: text };
    default:
      return block satisfies never;
  }
}
