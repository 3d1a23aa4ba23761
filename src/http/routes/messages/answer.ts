import type { ServerResponse } from 'node:http';
import { MessageAccumulator } from '../../../dialects/anthropic-messages/accumulate.ts';
import type { MessageRenderer } from '../../../dialects/anthropic-messages/render.ts';
import type { MessageBody, MessageEvent } from '../../../dialects/anthropic-messages/wire.ts';
import { asRoundhouseError, RoundhouseError } from '../../../errors.ts';
import type { LogItem } from '../../../events/preview.ts';
import { after } from '../../../time/timers.ts';
import type { HttpOptions } from '../../options.ts';
import { sseEvent, SseWriter } from '../../sse-writer.ts';

/** A turn that failed before anything of its answer was sent. */
export interface EarlyFailure {
  readonly error: RoundhouseError;
  /** Whether the prompt had reached an agent. */
  readonly delivered: boolean;
}

export interface AnswerParts {
  /** The turn's items from its beginning; ends when `gone` aborts. */
  readonly batches: AsyncIterable<readonly LogItem[]>;
  readonly renderer: MessageRenderer;
  readonly gone: AbortSignal;
}

/** A response that nobody else writes on, and the headers it was given so far. */
export interface RawReply {
  readonly response: ServerResponse;
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>;
}

/** Items rendered between two looks at whether the client still takes what it gets. */
const ITEMS_AT_ONCE = 128;
const PING = sseEvent('ping', '{"type":"ping"}');

/**
 * Sends a turn as a stream of events. `open` gives the response when its status has to be decided: at the first output, or
 * when the hold is over. Resolves with the failure when the turn failed before; otherwise everything has been sent, an
 * `error` event included, or the client is gone.
 */
export async function streamAnswer(
  { batches, renderer, gone }: AnswerParts,
  options: HttpOptions,
  open: () => RawReply,
): Promise<EarlyFailure | undefined> {
  // In an object, because closures change it and TypeScript would not see that.
  const stream: { writer?: SseWriter } = {};
  let delivered = false;
  const send = (events: readonly MessageEvent[]): SseWriter => {
    const writer = (stream.writer ??= openWriter(open(), options));
    writer.send(events.map(eventText).join(''));
    return writer;
  };
  const hold = after(options.statusHoldMs, () => {
    if (stream.writer === undefined && !gone.aborted) send(renderer.open());
  });
  try {
    reading: for await (const batch of batches) {
      for (const items of slices(batch)) {
        delivered ||= items.some(({ record }) => record?.detail.delivered === true);
        const events = renderer.push(...items);
        const [first] = events;
        if (first === undefined) continue;
        if (stream.writer === undefined && first.type === 'error') break reading;
        const writer = send(events);
        if (writer.blocked) await writer.drained();
        if (renderer.ended || gone.aborted) break reading;
      }
    }
    if (!renderer.ended && !gone.aborted) throw endlessTurn();
  } catch (error) {
    const events = renderer.fail(asRoundhouseError(error));
    if (stream.writer !== undefined) send(events);
  } finally {
    hold.cancel();
    stream.writer?.end();
  }
  if (stream.writer !== undefined || renderer.failure === undefined) return undefined;
  return { error: renderer.failure, delivered };
}

/** Collects a turn into one message; undefined when the client left before its end. */
export async function wholeAnswer({
  batches,
  renderer,
  gone,
}: AnswerParts): Promise<MessageBody | EarlyFailure | undefined> {
  const accumulator = new MessageAccumulator();
  let delivered = false;
  try {
    for await (const batch of batches) {
      delivered ||= batch.some(({ record }) => record?.detail.delivered === true);
      for (const items of slices(batch)) accumulator.add(renderer.push(...items));
      if (renderer.ended) break;
    }
    if (!renderer.ended && !gone.aborted) throw endlessTurn();
  } catch (error) {
    renderer.fail(asRoundhouseError(error));
  }
  if (renderer.failure !== undefined) return { error: renderer.failure, delivered };
  return renderer.ended ? accumulator.message : undefined;
}

/** A reader that was behind gets thousands at once: what it is shown is not made in one go, so that it can say stop. */
function* slices(items: readonly LogItem[]): Generator<readonly LogItem[], void, undefined> {
  if (items.length <= ITEMS_AT_ONCE) yield items;
  else
    for (let from = 0; from < items.length; from += ITEMS_AT_ONCE)
      yield items.slice(from, from + ITEMS_AT_ONCE);
}

function openWriter({ response, headers }: RawReply, options: HttpOptions): SseWriter {
  const { heartbeatMs, readerMaxLagMs } = options;
  return new SseWriter(response, { headers, heartbeat: PING, heartbeatMs, readerMaxLagMs });
}

function eventText(event: MessageEvent): string {
  if (event.type === 'content_block_delta' && event.delta.type === 'text_delta')
    return textDelta(event.index, event.delta.text);
  const text = sseEvent(event.type, JSON.stringify(event));
  return event.type === 'message_start' ? text + PING : text;
}

/** Nearly all of an answer is this event, and of it only the text differs. The same as by way of `JSON.stringify`. */
function textDelta(index: number, text: string): string {
  return `event: content_block_delta\ndata: {"type":"content_block_delta","index":${index},"delta":{"type":"text_delta","text":${JSON.stringify(text)}}}\n\n`;
}

function endlessTurn(): RoundhouseError {
  return new RoundhouseError('internal', 'The events of the turn ended before the turn did.');
}
