import type { AgentOutput } from '../../contracts/agent-driver.ts';
import type { ToolPermission } from '../../contracts/tool-permission.ts';
import { newEventId } from '../../events/ids.ts';
import type { PreviewBlock } from '../../events/preview.ts';
import type { EventDetail, SessionEvent, Usage } from '../../events/record.ts';
import { wallClockIso } from '../../time/clock.ts';

/** A call of a tool as it was written. */
export interface WrittenToolUse {
  readonly eventId: string;
  readonly toolUseId: string;
  /** Whether its result is an event of the client's own. */
  readonly shownByClient: boolean;
}

type PreviewPart =
  | {
      readonly kind: 'block_start';
      readonly block: PreviewBlock;
      readonly eventId: string;
    }
  | { readonly kind: 'text_delta' | 'thinking_delta'; readonly text: string }
  | { readonly kind: 'tool_input_delta'; readonly json: string }
  | { readonly kind: 'block_stop' };

/** Writes one model message after the other: previews, then the record that completes each block. */
export class MessageWriter {
  readonly #baseId: string;
  readonly #model: string;
  readonly #usage: Usage;
  #messages = 0;
  #messageId = '';
  #index = 0;
  /** Of the record that completes the block which was begun last. */
  #blockId = '';
  #messageOpen = false;
  #blockOpen = false;
  #tools = 0;
  #spanId = '';

  constructor(baseId: string, model: string, usage: Usage) {
    this.#baseId = baseId;
    this.#model = model;
    this.#usage = { ...usage, costUsd: 0 };
  }

  open(): AgentOutput[] {
    this.#messages += 1;
    this.#messageOpen = true;
    this.#messageId = `${this.#baseId}-${this.#messages}`;
    this.#index = 0;
    this.#spanId = newEventId();
    const preview = {
      kind: 'message_start',
      messageId: this.#messageId,
      model: this.#model,
      inputTokens: 10,
    } as const;
    return [
      event(
        { type: 'span.model_request_start', id: this.#spanId, processed_at: wallClockIso() },
        { modelMessageId: this.#messageId, model: this.#model },
      ),
      { kind: 'preview', preview },
    ];
  }

  /** Ends what is open when the turn ends before its messages do. */
  cut(): AgentOutput[] {
    const stop = this.#blockOpen ? [this.#stop()] : [];
    return this.#messageOpen ? [...stop, ...this.close('', true)] : [];
  }

  close(stopReason = 'end_turn', isError = false): AgentOutput[] {
    this.#messageOpen = false;
    const usage = {
      input_tokens: this.#usage.inputTokens,
      output_tokens: this.#usage.outputTokens,
      cache_read_input_tokens: this.#usage.cacheReadInputTokens,
      cache_creation_input_tokens: this.#usage.cacheCreationInputTokens,
    };
    return [
      event(
        {
          type: 'span.model_request_end',
          id: newEventId(),
          processed_at: wallClockIso(),
          is_error: isError,
          model_request_start_id: this.#spanId,
          model_usage: usage,
        },
        { modelMessageId: this.#messageId, model: this.#model, stopReason, usage: this.#usage },
      ),
    ];
  }

  restart(): AgentOutput[] {
    return [...this.cut(), ...this.open()];
  }

  async *text(
    deltas: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly AgentOutput[], void, undefined> {
    yield [this.#begin({ type: 'text' })];
    for (const text of deltas) {
      // A pause between deltas, as a socket makes one: others run meanwhile, and an interrupt is heard.
      await Promise.resolve();
      signal.throwIfAborted();
      yield [this.#preview({ kind: 'text_delta', text })];
    }
    yield [
      this.#stop(),
      this.#block(
        {
          type: 'agent.message',
          id: this.#blockId,
          processed_at: wallClockIso(),
          content: [{ type: 'text', text: deltas.join('') }],
        },
        {},
      ),
    ];
  }

  thinking(text: string): AgentOutput[] {
    return [
      this.#begin({ type: 'thinking' }),
      this.#preview({ kind: 'thinking_delta', text }),
      this.#stop(),
      this.#block(
        { type: 'agent.thinking', id: this.#blockId, processed_at: wallClockIso() },
        { thinking: text, thinkingSignature: 'scripted' },
      ),
    ];
  }

  toolUse(
    name: string,
    input: Record<string, unknown>,
    permission?: ToolPermission,
    type: 'agent.tool_use' | 'agent.custom_tool_use' = 'agent.tool_use',
  ): { readonly use: WrittenToolUse; readonly outputs: AgentOutput[] } {
    this.#tools += 1;
    const toolUseId = `${this.#messageId}-tool-${this.#tools}`;
    const begun = this.#begin({ type: 'tool_use', toolUseId, name });
    const shownByClient = type === 'agent.custom_tool_use';
    const use = { eventId: this.#blockId, toolUseId, shownByClient };
    const outputs = [
      begun,
      this.#preview({ kind: 'tool_input_delta', json: JSON.stringify(input) }),
      this.#stop(),
      this.#block(
        {
          type,
          id: use.eventId,
          processed_at: wallClockIso(),
          name,
          input,
          ...(permission !== undefined && !shownByClient && { evaluated_permission: permission }),
        },
        { toolUseId: use.toolUseId },
      ),
    ];
    return { use, outputs };
  }

  toolResult(use: WrittenToolUse, text: string, isError: boolean): AgentOutput {
    return event(
      {
        type: 'agent.tool_result',
        id: newEventId(),
        processed_at: wallClockIso(),
        tool_use_id: use.eventId,
        content: [{ type: 'text', text }],
        is_error: isError,
      },
      { toolUseId: use.toolUseId },
    );
  }

  #begin(block: PreviewBlock): AgentOutput {
    this.#blockId = newEventId();
    this.#blockOpen = true;
    return this.#preview({ kind: 'block_start', block, eventId: this.#blockId });
  }

  #stop(): AgentOutput {
    this.#blockOpen = false;
    return this.#preview({ kind: 'block_stop' });
  }

  #preview(part: PreviewPart): AgentOutput {
    return {
      kind: 'preview',
      preview: { ...part, messageId: this.#messageId, index: this.#index },
    };
  }

  #block(body: SessionEvent, detail: EventDetail): AgentOutput {
    const output = event(body, {
      ...detail,
      modelMessageId: this.#messageId,
      blockIndex: this.#index,
      model: this.#model,
    });
    this.#index += 1;
    return output;
  }
}

/** An event with what is kept beside it. */
export function event(body: SessionEvent, detail: EventDetail): AgentOutput {
  return { kind: 'event', body, detail };
}
