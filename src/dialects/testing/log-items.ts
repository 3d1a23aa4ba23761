import { NO_USAGE } from '../../events/record.ts';
import type { EventDetail, EventRecord, SessionEvent, TurnEnd } from '../../events/record.ts';
import type { LogItem, Preview, PreviewBlock } from '../../events/preview.ts';

/** Makes the items of one turn by hand, for tests: numbered records, and previews. */
export class TurnItems {
  readonly turnId: string;
  readonly sessionId: string;
  #number: number;

  constructor(turnId = 'turn_test', sessionId = 'sesn_test', firstNumber = 1) {
    this.turnId = turnId;
    this.sessionId = sessionId;
    this.#number = firstNumber;
  }

  record(body: SessionEvent, detail: EventDetail = {}): { record: EventRecord } {
    return {
      record: {
        number: this.#number++,
        sessionId: this.sessionId,
        turnId: this.turnId,
        at: AT,
        type: body.type,
        body,
        detail,
      },
    };
  }

  preview(preview: Preview): LogItem {
    return { preview, turnId: this.turnId };
  }

  user(text: string): LogItem {
    return this.record({
      type: 'user.message',
      id: 'sevt_user',
      content: [{ type: 'text', text }],
    });
  }

  delivered(): LogItem {
    return this.record(
      { type: 'session.status_running', id: 'sevt_run', processed_at: AT },
      { delivered: true },
    );
  }

  messageStart(messageId: string, inputTokens = 7): LogItem {
    return this.preview({
      kind: 'message_start',
      messageId,
      model: 'claude-test',
      inputTokens,
    });
  }

  blockStart(messageId: string, index: number, type: 'text' | 'thinking' = 'text'): LogItem {
    const block: PreviewBlock = { type };
    const eventId = blockEventId(messageId, index);
    return this.preview({ kind: 'block_start', messageId, index, block, eventId });
  }

  delta(
    messageId: string,
    index: number,
    text: string,
    kind: 'text_delta' | 'thinking_delta' = 'text_delta',
  ): LogItem {
    return this.preview({ kind, messageId, index, text });
  }

  blockStop(messageId: string, index: number): LogItem {
    return this.preview({ kind: 'block_stop', messageId, index });
  }

  textRecord(messageId: string, blockIndex: number, text: string): EventRecord {
    return this.#text(messageId, blockIndex, text, {}).record;
  }

  text(messageId: string, blockIndex: number, text: string, detail: EventDetail = {}): LogItem {
    return this.#text(messageId, blockIndex, text, detail);
  }

  #text(
    messageId: string,
    blockIndex: number,
    text: string,
    detail: EventDetail,
  ): { record: EventRecord } {
    return this.record(
      {
        type: 'agent.message',
        id: blockEventId(messageId, blockIndex),
        processed_at: AT,
        content: [{ type: 'text', text }],
      },
      { modelMessageId: messageId, blockIndex, model: 'claude-test', ...detail },
    );
  }

  thinking(messageId: string, blockIndex: number, thinking: string, signature = 'sig'): LogItem {
    return this.record(
      { type: 'agent.thinking', id: blockEventId(messageId, blockIndex), processed_at: AT },
      { modelMessageId: messageId, blockIndex, thinking, thinkingSignature: signature },
    );
  }

  toolUse(toolUseId: string, name: string, input: Record<string, unknown>): LogItem {
    return this.record(
      {
        type: 'agent.tool_use',
        id: `sevt_${toolUseId}`,
        name,
        input,
        processed_at: AT,
      },
      { toolUseId },
    );
  }

  toolResult(toolUseId: string, text: string, isError = false): LogItem {
    return this.record(
      {
        type: 'agent.tool_result',
        id: `sevt_r_${toolUseId}`,
        tool_use_id: `sevt_${toolUseId}`,
        processed_at: AT,
        content: [{ type: 'text', text }],
        is_error: isError,
      },
      { toolUseId },
    );
  }

  end(end: Partial<TurnEnd> = {}): LogItem {
    return this.record(
      {
        type: 'session.status_idle',
        id: 'sevt_idle',
        processed_at: AT,
        stop_details: null,
        stop_reason: { type: 'end_turn' },
      },
      {
        turnEnd: {
          reason: 'completed',
          usage: { ...NO_USAGE, inputTokens: 11, outputTokens: 5 },
          modelRequests: 1,
          stopReason: 'end_turn',
          ...end,
        },
      },
    );
  }

  /** A whole streamed text block: its previews in `chunks`, then its record. */
  streamedText(messageId: string, index: number, chunks: readonly string[]): LogItem[] {
    return [
      this.blockStart(messageId, index),
      ...chunks.map((chunk) => this.delta(messageId, index, chunk)),
      this.blockStop(messageId, index),
      this.text(messageId, index, chunks.join('')),
    ];
  }
}

const blockEventId = (messageId: string, index: number): string => `sevt_${messageId}_${index}`;

const AT = '2026-11-22T10:00:00.000Z';
