import type { TextBlock, ThinkingBlock } from '@anthropic-ai/sdk/resources/messages';
import { RoundhouseError } from '../../errors.ts';
import { GrowingText } from '../../events/growing-text.ts';
import type { LogItem, Preview } from '../../events/preview.ts';
import { turnEndOf } from '../../events/record.ts';
import type { EventRecord, TurnEnd } from '../../events/record.ts';
import { turnFailure } from '../turn-failure.ts';
import { errorBody } from './error-body.ts';
import { messageDelta, messageStart } from './envelope.ts';
import { toolBlock, toolLine } from './tool-events.ts';
import type { AgentEventMode, AnswerBlock, MessageEvent } from './wire.ts';

export interface RendererOptions {
  readonly turnId: string;
  readonly requestId: string;
  /** The model to name when no model message has said its own. */
  readonly model: string;
  readonly agentEvents: AgentEventMode;
  readonly showThinking: boolean;
}

/** A text or thinking block that has been begun and whose record has not come. */
interface PendingBlock {
  readonly kind: 'text' | 'thinking';
  /** The model message and the place in it; undefined for what a given-up attempt left, until the next one takes it up. */
  place: { readonly messageId: string; readonly index: number } | undefined;
  /** Its index in the answer; undefined until something of it is shown. */
  index: number | undefined;
  readonly sent: GrowingText;
  /** How much of `sent` the present attempt has repeated; less only after a retry. */
  repeated: number;
  unsent: string;
}

/**
 * Turns the items of one turn into the events of one Anthropic message: `message_start`, blocks with consecutive indices,
 * `message_delta`, `message_stop`, or an `error` at any moment, after which nothing comes.
 *
 * Blocks wait in a queue and only its head is shown: it gets deltas as they come, and leaves with its record, which also
 * brings what was never streamed. So blocks never interleave, whatever arrives late. When the model is asked again
 * (`message_start` while blocks are pending), the new attempt must repeat what was shown; it goes on in the same block.
 */
export class MessageRenderer {
  readonly #options: RendererOptions;
  readonly #queue: PendingBlock[] = [];
  #out: MessageEvent[] = [];
  #model: string;
  #inputTokens = 0;
  #nextIndex = 0;
  #stage: 'waiting' | 'open' | 'ended' = 'waiting';
  #failure: RoundhouseError | undefined;

  constructor(options: RendererOptions) {
    this.#options = options;
    this.#model = options.model;
  }

  /** Why the answer ended with an `error` event; undefined while it goes on and when it ended well. */
  get failure(): RoundhouseError | undefined {
    return this.#failure;
  }

  get ended(): boolean {
    return this.#stage === 'ended';
  }

  /** Begins the message before there is anything to show, so that a stream can be opened. Gives the events due. */
  open(): MessageEvent[] {
    this.#open();
    return this.#take();
  }

  /** Takes the next items of the turn. Gives the events that they cause; none after the end. */
  push(...items: readonly LogItem[]): MessageEvent[] {
    for (const item of items) {
      if (this.#stage === 'ended') break;
      if (item.preview !== undefined) this.#onPreview(item.preview);
      else if (item.record !== undefined) this.#onRecord(item.record);
      else this.#fail(incomplete());
    }
    return this.#take();
  }

  /** Ends the answer with an error that is not the turn's own. Gives the `error` event, or nothing after the end. */
  fail(error: RoundhouseError): MessageEvent[] {
    this.#fail(error);
    return this.#take();
  }

  #take(): MessageEvent[] {
    const events = this.#out;
    this.#out = [];
    return events;
  }

  #onPreview(preview: Preview): void {
    switch (preview.kind) {
      case 'message_start':
        this.#model = preview.model;
        this.#inputTokens = preview.inputTokens;
        this.#abandonPending();
        return;
      case 'block_start':
        if (preview.block.type === 'text') this.#begin('text', preview);
        if (preview.block.type === 'thinking') this.#begin('thinking', preview);
        return;
      case 'text_delta':
      case 'thinking_delta':
        this.#addText(preview);
        return;
      case 'tool_input_delta':
      case 'block_stop':
        // A tool's input is shown whole, and a block ends with its record.
        return;
      default:
        preview satisfies never;
    }
  }

  #onRecord(record: EventRecord): void {
    const end = turnEndOf(record);
    const inSubagent = record.detail.parentToolUseId !== undefined;
    if (!inSubagent) this.#onBody(record);
    if (end !== undefined) this.#end(end);
  }

  #onBody({ body, detail }: EventRecord): void {
    if (body.type === 'agent.message') {
      if (detail.model !== undefined) this.#model = detail.model;
      const text = body.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
      this.#complete('text', placeOf(detail), text);
    } else if (body.type === 'agent.thinking') {
      if (this.#options.showThinking) {
        const { thinking = '', thinkingSignature } = detail;
        this.#complete('thinking', placeOf(detail), thinking, thinkingSignature);
      }
    } else if (this.#options.agentEvents === 'blocks') {
      const block = toolBlock(body, detail);
      if (block !== undefined) this.#showWhole(block);
    } else if (this.#options.agentEvents === 'text') {
      const line = toolLine(body);
      if (line !== undefined) this.#showLine(line);
    }
  }

  /** The model is asked again: what was shown must be repeated, what was not is forgotten. */
  #abandonPending(): void {
    const shown = this.#queue.filter((block) => block.sent.length > 0);
    for (const block of shown) Object.assign(block, { place: undefined, repeated: 0, unsent: '' });
    this.#queue.splice(0, this.#queue.length, ...shown);
  }

  #begin(kind: PendingBlock['kind'], place: { messageId: string; index: number }): void {
    if (kind === 'thinking' && !this.#options.showThinking) return;
    const abandoned = this.#queue.find((block) => block.place === undefined);
    if (abandoned === undefined) {
      this.#queue.push({
        kind,
        place,
        index: undefined,
        sent: new GrowingText(),
        repeated: 0,
        unsent: '',
      });
    } else if (abandoned.kind === kind) {
      abandoned.place = place;
    } else {
      this.#failAsDifferent();
    }
  }

  #addText(delta: { messageId: string; index: number; text: string }): void {
    const block = this.#find(delta);
    // Without its beginning a block can't be shown as it comes: its record brings all of it.
    if (block === undefined) return;
    if (block.repeated === block.sent.length) {
      block.unsent += delta.text;
    } else if (!this.#repeat(block, delta.text)) {
      this.#failAsDifferent();
      return;
    }
    if (block === this.#queue[0]) this.#show(block);
  }

  /** Text of a further attempt, which begins with what was shown. False when it does not. */
  #repeat(block: PendingBlock, text: string): boolean {
    const toRepeat = block.sent.toString().slice(block.repeated, block.repeated + text.length);
    if (!text.startsWith(toRepeat)) return false;
    block.repeated += toRepeat.length;
    block.unsent += text.slice(toRepeat.length);
    return true;
  }

  /** The record of a block has come: the rest of it is shown, and it is over. So are the ones before it. */
  #complete(
    kind: PendingBlock['kind'],
    place: PendingBlock['place'],
    text: string,
    signature?: string,
  ): void {
    // A driver that can't tell the place records its blocks in order.
    let block =
      place === undefined
        ? this.#queue.find((each) => each.kind === kind && each.place !== undefined)
        : this.#find(place);
    if (block === undefined) {
      const at = place ?? { messageId: '', index: -1 };
      this.#begin(kind, at);
      block = this.#find(at);
      // Hidden, or ended by an attempt that differs.
      if (block === undefined) return;
    }
    this.#closeBefore(block);
    if (this.#stage === 'ended') return;
    if (!text.startsWith(block.sent.toString())) {
      this.#failAsDifferent();
      return;
    }
    block.unsent = text.slice(block.sent.length);
    block.repeated = block.sent.length;
    this.#close(block, signature);
    const next = this.#queue[0];
    if (next !== undefined) this.#show(next);
  }

  #showWhole(block: AnswerBlock): void {
    this.#closeBefore(undefined);
    if (this.#stage === 'ended') return;
    const index = this.#startBlock(block);
    this.#out.push({ type: 'content_block_stop', index });
  }

  #showLine(text: string): void {
    this.#closeBefore(undefined);
    if (this.#stage === 'ended') return;
    const index = this.#startBlock(emptyBlock('text'));
    this.#out.push(
      { type: 'content_block_delta', index, delta: { type: 'text_delta', text } },
      { type: 'content_block_stop', index },
    );
  }

  /** Closes what stands before `last` (everything without one) as it was streamed: their records will not come any more. */
  #closeBefore(last: PendingBlock | undefined): void {
    for (let head = this.#queue[0]; head !== undefined && head !== last; head = this.#queue[0]) {
      if (head.repeated < head.sent.length) {
        this.#failAsDifferent();
        return;
      }
      this.#close(head);
    }
  }

  #close(block: PendingBlock, signature?: string): void {
    this.#show(block);
    if (block.index === undefined && signature !== undefined) {
      block.index = this.#startBlock(emptyBlock(block.kind));
    }
    if (block.index !== undefined) {
      const { index } = block;
      if (signature !== undefined) {
        const delta = { type: 'signature_delta', signature } as const;
        this.#out.push({ type: 'content_block_delta', index, delta });
      }
      this.#out.push({ type: 'content_block_stop', index });
    }
    this.#queue.shift();
  }

  #show(block: PendingBlock): void {
    if (block.unsent === '') return;
    block.index ??= this.#startBlock(emptyBlock(block.kind));
    const delta =
      block.kind === 'text'
        ? ({ type: 'text_delta', text: block.unsent } as const)
        : ({ type: 'thinking_delta', thinking: block.unsent } as const);
    this.#out.push({ type: 'content_block_delta', index: block.index, delta });
    block.sent.add(block.unsent);
    block.repeated = block.sent.length;
    block.unsent = '';
  }

  #startBlock(block: AnswerBlock): number {
    this.#open();
    const index = this.#nextIndex++;
    this.#out.push({ type: 'content_block_start', index, content_block: block });
    return index;
  }

  #open(): void {
    if (this.#stage !== 'waiting') return;
    this.#stage = 'open';
    this.#out.push(messageStart(this.#options.turnId, this.#model, this.#inputTokens));
  }

  #end(end: TurnEnd): void {
    if (this.#stage === 'ended') return;
    const failure = turnFailure(end);
    if (failure !== undefined) {
      this.#fail(failure);
      return;
    }
    this.#closeBefore(undefined);
    // A text that was shown and is not in the answer has ended it with an error.
    if (this.#failure !== undefined) return;
    this.#open();
    this.#out.push(messageDelta(end), { type: 'message_stop' });
    this.#stage = 'ended';
  }

  #find(place: { messageId: string; index: number }): PendingBlock | undefined {
    return this.#queue.find(
      (block) => block.place?.messageId === place.messageId && block.place.index === place.index,
    );
  }

  #failAsDifferent(): void {
    this.#fail(
      new RoundhouseError(
        'upstream_failed',
        'The model was asked again in the middle of its answer and did not repeat what had been shown; prompt again.',
      ),
    );
  }

  #fail(error: RoundhouseError): void {
    if (this.#stage === 'ended') return;
    this.#stage = 'ended';
    this.#failure = error;
    this.#out.push(errorBody(error, this.#options.requestId));
  }
}

/** Only a reader that came back to a turn long after its end can meet a gap; what it would show is not the whole answer. */
function incomplete(): RoundhouseError {
  return new RoundhouseError(
    'reader_too_slow',
    'Events of this turn were removed before they were read; read the session from /sessions/{id}/events.',
  );
}

function placeOf(detail: EventRecord['detail']): PendingBlock['place'] {
  const { modelMessageId, blockIndex } = detail;
  if (modelMessageId === undefined || blockIndex === undefined) return undefined;
  return { messageId: modelMessageId, index: blockIndex };
}

function emptyBlock(kind: PendingBlock['kind']): TextBlock | ThinkingBlock {
  return kind === 'text'
    ? { type: 'text', text: '', citations: null }
    : { type: 'thinking', thinking: '', signature: '' };
}
