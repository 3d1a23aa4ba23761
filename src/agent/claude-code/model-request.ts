import type { SDKPartialAssistantMessage } from '@anthropic-ai/claude-agent-sdk';

import type { AgentOutput } from '../../contracts/agent-driver.ts';
import type { Preview, PreviewBlock } from '../../events/preview.ts';
import type { Usage } from '../../events/record.ts';
import { newEventId } from '../../events/ids.ts';
import { wallClockIso } from '../../time/clock.ts';
import { updatedUsage, usageOfMessage } from './usage.ts';

type StreamEvent = SDKPartialAssistantMessage['event'];
type StartedMessage = Extract<StreamEvent, { type: 'message_start' }>['message'];
type Output = Extract<AgentOutput, { kind: 'event' | 'preview' | 'activity' }>;

/** One streaming message of the model: its span in the records, and its previews. */
export class ModelRequest {
  readonly #message: StartedMessage;
  readonly #spanId = newEventId();
  #usage: Usage;
  #stopReason: string | null = null;
  /** Index of the block that is being written; undefined between blocks. */
  #openBlock: number | undefined;
  #blockIndex: number | undefined;
  /** What the preview of the block that was begun last has promised: the id and the kind of its record. */
  #promised: { readonly eventId: string; readonly type: PreviewBlock['type'] } | undefined;

  constructor(message: StartedMessage) {
    this.#message = message;
    this.#usage = usageOfMessage(message.usage);
  }

  /** Null until the message is complete. */
  get stopReason(): string | null {
    return this.#stopReason;
  }

  /** Place of the block that was begun last; undefined before the first. */
  get blockIndex(): number | undefined {
    return this.#blockIndex;
  }

  /**
   * The id for the record that completes the block which was begun last: the one that its preview told, once, and a new one
   * for anything else.
   */
  recordId(type: PreviewBlock['type']): string {
    const promised = this.#promised;
    if (promised?.type !== type) return newEventId();
    this.#promised = undefined;
    return promised.eventId;
  }

  /** The message has begun. */
  start(): Output[] {
    const { id, model } = this.#message;
    return [
      {
        kind: 'event',
        body: { id: this.#spanId, type: 'span.model_request_start', processed_at: wallClockIso() },
        detail: { model, modelMessageId: id },
      },
      preview({
        kind: 'message_start',
        messageId: id,
        model,
        inputTokens: this.#usage.inputTokens,
      }),
    ];
  }

  /** What a later event of the message means. */
  map(event: StreamEvent): Output[] {
    const messageId = this.#message.id;
    switch (event.type) {
      case 'content_block_start': {
        this.#openBlock = event.index;
        this.#blockIndex = event.index;
        const block = previewBlock(event.content_block);
        this.#promised = block && { eventId: newEventId(), type: block.type };
        if (block === undefined || this.#promised === undefined) {
          this.#openBlock = undefined;
          return [{ kind: 'activity' }];
        }
        const { eventId } = this.#promised;
        return [preview({ kind: 'block_start', messageId, index: event.index, block, eventId })];
      }
      case 'content_block_delta': {
        const { delta, index } = event;
        if (this.#openBlock !== index) return [{ kind: 'activity' }];
        if (delta.type === 'text_delta') {
          return [preview({ kind: 'text_delta', messageId, index, text: delta.text })];
        }
        if (delta.type === 'thinking_delta') {
          return [preview({ kind: 'thinking_delta', messageId, index, text: delta.thinking })];
        }
        if (delta.type === 'input_json_delta') {
          return [
            preview({ kind: 'tool_input_delta', messageId, index, json: delta.partial_json }),
          ];
        }
        return [{ kind: 'activity' }];
      }
      case 'content_block_stop':
        return this.#openBlock === event.index ? this.completeBlock() : [];
      case 'message_delta':
        this.#stopReason = event.delta.stop_reason;
        this.#usage = updatedUsage(this.#usage, event.usage);
        return [];
      default:
        return [];
    }
  }

  /** Ends the block that is being written, if there is one. Its own end in the stream is then ignored. */
  completeBlock(): Output[] {
    const index = this.#openBlock;
    if (index === undefined) return [];
    this.#openBlock = undefined;
    return [preview({ kind: 'block_stop', messageId: this.#message.id, index })];
  }

  /** The message is over; without a stop reason it was cut off. */
  end(): Output[] {
    const { id, model } = this.#message;
    return [
      ...this.completeBlock(),
      {
        kind: 'event',
        body: {
          id: newEventId(),
          type: 'span.model_request_end',
          processed_at: wallClockIso(),
          model_request_start_id: this.#spanId,
          is_error: this.#stopReason === null,
          model_usage: {
            input_tokens: this.#usage.inputTokens,
            output_tokens: this.#usage.outputTokens,
            cache_read_input_tokens: this.#usage.cacheReadInputTokens,
            cache_creation_input_tokens: this.#usage.cacheCreationInputTokens,
          },
        },
        detail: { model, modelMessageId: id, stopReason: this.#stopReason, usage: this.#usage },
      },
    ];
  }
}

/** What is shown of a block that begins; nothing of those that tools at the model's side make. */
function previewBlock(
  block: Extract<StreamEvent, { type: 'content_block_start' }>['content_block'],
): PreviewBlock | undefined {
  switch (block.type) {
    case 'text':
      return { type: 'text' };
    case 'thinking':
    case 'redacted_thinking':
      return { type: 'thinking' };
    case 'tool_use':
      return { type: 'tool_use', toolUseId: block.id, name: block.name };
    default:
      return undefined;
  }
}

function preview(content: Preview): Output {
  return { kind: 'preview', preview: content };
}
