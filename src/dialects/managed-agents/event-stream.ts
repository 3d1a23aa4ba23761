import type { BetaManagedAgentsStreamSessionEvents } from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type { BetaManagedAgentsDeltaType } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { newEventId } from '../../events/ids.ts';
import type { Gap, LogItem, Preview, PreviewBlock } from '../../events/preview.ts';
import { turnEndOf, type EventRecord } from '../../events/record.ts';
import { toSessionEvent, type ProcessedAt } from './session-events.ts';

/** Records that were removed before this reader asked for them. Ours: the API has no event for it. */
export interface GapEvent {
  readonly type: 'roundhouse.gap';
  readonly from: number;
  readonly to: number;
}

/** What a stream carries. */
export type StreamEvent = BetaManagedAgentsStreamSessionEvents | GapEvent;

/**
 * One connection's view of a session: each record once, in order, and the previews that the client asked for between them.
 * A preview begins with `event_start`, and no piece of it comes after its event, or after the end of its model request.
 */
export class SessionEventStream {
  readonly #deltas: ReadonlySet<BetaManagedAgentsDeltaType>;
  /** Ids of the events on their way, by their place in the model's messages. */
  readonly #open = new Map<string, string>();
  #lastNumber = 0;

  /** `deltas`: types of events to preview. */
  constructor(deltas: ReadonlySet<BetaManagedAgentsDeltaType>) {
    this.#deltas = deltas;
  }

  /** What the client is sent for an item; undefined where that is nothing. */
  project(item: LogItem, processedAt: ProcessedAt): StreamEvent | undefined {
    if (item.preview !== undefined) return this.#preview(item.preview);
    if (item.gap !== undefined) return this.#gap(item.gap);
    return this.#record(item.record, processedAt);
  }

  #gap({ from, to }: Gap): StreamEvent {
    this.#lastNumber = Math.max(this.#lastNumber, to);
    return { type: 'roundhouse.gap', from, to };
  }

  #record(record: EventRecord, processedAt: ProcessedAt): StreamEvent | undefined {
    if (record.number <= this.#lastNumber) return undefined;
    this.#lastNumber = record.number;
    const over = record.type === 'span.model_request_end' || turnEndOf(record) !== undefined;
    if (over) this.#open.clear();
    for (const [place, eventId] of this.#open)
      if (eventId === record.body.id) this.#open.delete(place);
    return toSessionEvent(record, processedAt);
  }

  #preview(preview: Preview): StreamEvent | undefined {
    if (this.#deltas.size === 0) return undefined;
    switch (preview.kind) {
      case 'message_start':
        this.#open.clear();
        return undefined;
      case 'block_start':
        return this.#start(preview);
      case 'text_delta': {
        const eventId = this.#open.get(placeOf(preview));
        if (eventId === undefined) return undefined;
        // A text block is an event of its own here, so its pieces go into its only block.
        const content = { type: 'text', text: preview.text } as const;
        return {
          type: 'event_delta',
          event_id: eventId,
          delta: { type: 'content_delta', index: 0, content },
        };
      }
      case 'thinking_delta':
      case 'tool_input_delta':
      case 'block_stop':
        return undefined;
      default:
        return preview satisfies never;
    }
  }

  #start(preview: Extract<Preview, { kind: 'block_start' }>): StreamEvent | undefined {
    const { block, eventId } = preview;
    const type = eventTypeOf(block);
    if (type === undefined || !this.#deltas.has(type)) return undefined;
    // A thought is a start and nothing more: nothing follows that would have to be stopped.
    if (type === 'agent.message') this.#open.set(placeOf(preview), eventId);
    return { type: 'event_start', event: { type, id: eventId } };
  }
}

/** The last event of a stream whose session was deleted at a moment. It is kept nowhere. */
export function toDeletedEvent(at: string): StreamEvent {
  return { type: 'session.deleted', id: newEventId(), processed_at: at };
}

function placeOf({ messageId, index }: { messageId: string; index: number }): string {
  return `${messageId}/${index}`;
}

function eventTypeOf(block: PreviewBlock): BetaManagedAgentsDeltaType | undefined {
  switch (block.type) {
    case 'text':
      return 'agent.message';
    case 'thinking':
      return 'agent.thinking';
    case 'tool_use':
      return undefined;
    default:
      return block satisfies never;
  }
}
