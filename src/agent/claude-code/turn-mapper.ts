import type {
  SDKAssistantMessage,
  SDKMessage,
  SDKPartialAssistantMessage,
  SDKUserMessage,
} from '@anthropic-ai/claude-agent-sdk';

import type { AgentOutput, TakeUp } from '../../contracts/agent-driver.ts';
import type { ToolPermission } from '../../contracts/tool-permission.ts';
import type { EventDetail, RetryNotice, SessionEvent } from '../../events/record.ts';
import type { PreviewBlock } from '../../events/preview.ts';
import { newEventId } from '../../events/ids.ts';
import { wallClockIso } from '../../time/clock.ts';
import { ModelRequest } from './model-request.ts';
import { toToolResultContent } from './tool-result-content.ts';
import { resultOf, toolUse, type ResultShownBy, type ToolFacts } from './tool-use.ts';
import { isRecord } from './unknown.ts';

/** An output that a message stands for; `accepted` and `ended` are the turn's own. */
export type MappedOutput = Exclude<AgentOutput, { kind: 'accepted' | 'ended' }>;

type AssistantBlock = SDKAssistantMessage['message']['content'][number];

/** A tool call that was recorded and whose result has not been. */
interface OpenToolCall {
  readonly eventId: string;
  readonly resultBy: ResultShownBy;
  running: boolean;
}

/** The model that stands in messages which the agent writes itself, for example about an error of the API. */
export const SYNTHETIC_MODEL = '<synthetic>';
const ACTIVITY: readonly MappedOutput[] = [{ kind: 'activity' }];

/** Where all tools are the agent's own. */
const OWN_TOOLS: ToolFacts = { kindOf: () => ({ kind: 'own' }), problemOf: () => undefined };

export interface TurnMapperParts {
  /** What is known of the leave for a call, before it is made. `inSubagent`: a subagent makes it. */
  readonly permissionOf?: (toolName: string, inSubagent: boolean) => ToolPermission;
  /** The call of an earlier process that the turn goes on with. */
  readonly takeUp?: TakeUp | undefined;
}

/** Translates the messages of one turn into outputs. Keeps only what later messages of the same turn refer to. */
export class TurnMapper {
  readonly #tools: ToolFacts;
  readonly #parts: TurnMapperParts;
  #request: ModelRequest | undefined;
  readonly #toolCalls = new Map<string, OpenToolCall>();
  #modelRequests = 0;
  #stopReason: string | null = null;
  #lastRetry: RetryNotice | undefined;

  constructor(tools: ToolFacts = OWN_TOOLS, parts: TurnMapperParts = {}) {
    this.#tools = tools;
    this.#parts = parts;
    const { takeUp } = parts;
    if (takeUp === undefined) return;
    const { toolUseId, toolName } = takeUp.call;
    const resultBy = resultOf(tools.kindOf(toolName));
    this.#toolCalls.set(toolUseId, { eventId: takeUp.eventId, resultBy, running: false });
  }

  /** Whether a message of the model is being written. */
  get inMessage(): boolean {
    return this.#request !== undefined;
  }

  /** Model requests of the conversation itself; those of subagents are not shown one by one. */
  get modelRequests(): number {
    return this.#modelRequests;
  }

  /** `stop_reason` of the last model message that was complete. */
  get stopReason(): string | null {
    return this.#stopReason;
  }

  get lastRetry(): RetryNotice | undefined {
    return this.#lastRetry;
  }

  /** What a message means, in order. A message that carries nothing is a sign of life. */
  map(message: SDKMessage): readonly MappedOutput[] {
    switch (message.type) {
      case 'stream_event':
        return this.#streamEvent(message);
      case 'assistant':
        return this.#assistant(message);
      case 'user':
        return this.#user(message);
      case 'system':
        return this.#system(message);
      default:
        return ACTIVITY;
    }
  }

  /** Closes what is still open when the turn ends before its messages do. */
  close(): readonly MappedOutput[] {
    const outputs = this.#request?.end() ?? [];
    this.#request = undefined;
    return outputs;
  }

  #streamEvent({
    event,
    parent_tool_use_id: parent,
  }: SDKPartialAssistantMessage): readonly MappedOutput[] {
    // The SDK's types leave pings out. One proves that the upstream's line is open, not that anything goes on.
    const type: string = event.type;
    if (type === 'ping') return [];
    // A subagent's stream would interleave with ours; its records are enough.
    if (parent !== null) return ACTIVITY;
    if (event.type === 'message_start') {
      const left = this.close();
      this.#request = new ModelRequest(event.message);
      this.#modelRequests += 1;
      return [...left, ...this.#request.start()];
    }
    const request = this.#request;
    if (request === undefined) return ACTIVITY;
    if (event.type !== 'message_stop') return request.map(event);

    this.#request = undefined;
    this.#stopReason = request.stopReason ?? this.#stopReason;
    return [...request.end(), ...this.#startTools()];
  }

  /** The message that made the calls is complete: from here on the tools run, or wait for an answer. */
  #startTools(): MappedOutput[] {
    const outputs: MappedOutput[] = [];
    for (const [toolUseId, call] of this.#toolCalls) {
      if (call.running) continue;
      call.running = true;
      outputs.push({ kind: 'tool_started', toolUseId });
    }
    return outputs;
  }

  #assistant(message: SDKAssistantMessage): readonly MappedOutput[] {
    // The agent's own words about a failure: they come back in the result, and are no answer of the model.
    if (message.message.model === SYNTHETIC_MODEL) return ACTIVITY;
    const parent = message.parent_tool_use_id;
    // It arrives before the stream's end of the block, and no preview may follow the record that completes it.
    const request = parent === null ? this.#request : undefined;
    const outputs: MappedOutput[] = request?.completeBlock() ?? [];
    const blockIndex = request?.blockIndex;
    for (const block of message.message.content) {
      const detail: EventDetail = {
        modelMessageId: message.message.id,
        model: message.message.model,
        transcriptUuid: message.uuid,
        ...(blockIndex === undefined ? {} : { blockIndex }),
        ...(parent === null ? {} : { parentToolUseId: parent }),
      };
      outputs.push(...this.#block(block, detail, request));
    }
    return outputs.length === 0 ? ACTIVITY : outputs;
  }

  #block(
    block: AssistantBlock,
    detail: EventDetail,
    request: ModelRequest | undefined,
  ): MappedOutput[] {
    const commonOf = (type: PreviewBlock['type']) => ({
      id: request?.recordId(type) ?? newEventId(),
      processed_at: wallClockIso(),
    });
    switch (block.type) {
      case 'text':
        return [
          recorded(
            {
              ...commonOf('text'),
              type: 'agent.message',
              content: [{ type: 'text', text: block.text }],
            },
            detail,
          ),
        ];
      case 'thinking':
        return [
          recorded(
            { ...commonOf('thinking'), type: 'agent.thinking' },
            { ...detail, thinking: block.thinking, thinkingSignature: block.signature },
          ),
        ];
      case 'redacted_thinking':
        return [
          recorded(
            { ...commonOf('thinking'), type: 'agent.thinking' },
            { ...detail, thinkingSignature: block.data },
          ),
        ];
      case 'tool_use': {
        const common = commonOf('tool_use');
        const input = isRecord(block.input) ? { ...block.input } : { input: block.input };
        const withId = { ...detail, toolUseId: block.id };
        const inSubagent = detail.parentToolUseId !== undefined;
        const { body, resultBy } = toolUse(
          { ...common, name: block.name, input },
          this.#tools,
          this.#parts.permissionOf?.(block.name, inSubagent),
        );
        this.#toolCalls.set(block.id, {
          eventId: common.id,
          resultBy,
          // A subagent's tools run within the phase of the call that started it.
          running: inSubagent,
        });
        return [recorded(body, withId)];
      }
      default:
        // Blocks of tools that run at the model's side; Claude Code asks for none.
        return [];
    }
  }

  #user(message: SDKUserMessage): readonly MappedOutput[] {
    const { content } = message.message;
    if (typeof content === 'string') return ACTIVITY;
    const outputs = content.flatMap((block) =>
      block.type === 'tool_result' ? this.#toolResult(block, message) : [],
    );
    return outputs.length === 0 ? ACTIVITY : outputs;
  }

  #toolResult(
    block: { tool_use_id: string; content?: unknown; is_error?: boolean },
    message: SDKUserMessage,
  ): MappedOutput[] {
    const call = this.#toolCalls.get(block.tool_use_id);
    this.#toolCalls.delete(block.tool_use_id);
    const parent = message.parent_tool_use_id;
    const toolUseEventId = call?.eventId ?? block.tool_use_id;
    const common = {
      id: newEventId(),
      processed_at: wallClockIso(),
      content: toToolResultContent(block.content),
      is_error: block.is_error ?? false,
    };
    const detail: EventDetail = {
      toolUseId: block.tool_use_id,
      ...(message.uuid === undefined ? {} : { transcriptUuid: message.uuid }),
      ...(parent === null ? {} : { parentToolUseId: parent }),
    };
    const records =
      call?.resultBy === 'client'
        ? // The client has sent it.
          []
        : [
            call?.resultBy === 'agent.mcp_tool_result'
              ? recorded(
                  { ...common, type: call.resultBy, mcp_tool_use_id: toolUseEventId },
                  detail,
                )
              : recorded(
                  { ...common, type: 'agent.tool_result', tool_use_id: toolUseEventId },
                  detail,
                ),
          ];
    if (parent !== null) return records;
    // A tool may end while the message that called it is still being written.
    const started: MappedOutput[] =
      call?.running === false ? [{ kind: 'tool_started', toolUseId: block.tool_use_id }] : [];
    return [...started, ...records, { kind: 'tool_finished', toolUseId: block.tool_use_id }];
  }

  #system(message: Extract<SDKMessage, { type: 'system' }>): readonly MappedOutput[] {
    const common = { id: newEventId(), processed_at: wallClockIso() };
    if (message.subtype === 'api_retry') {
      const retry: RetryNotice = {
        attempt: message.attempt,
        maxAttempts: message.max_retries,
        waitMs: Math.round(message.retry_delay_ms),
        status: message.error_status,
      };
      this.#lastRetry = retry;
      return [
        ...this.close(),
        recorded({ ...common, type: 'session.status_rescheduled' }, { retry }),
      ];
    }
    if (message.subtype === 'compact_boundary') {
      return [
        recorded(
          { ...common, type: 'agent.thread_context_compacted' },
          { transcriptUuid: message.uuid },
        ),
      ];
    }
    return ACTIVITY;
  }
}

function recorded(body: SessionEvent, detail: EventDetail): MappedOutput {
  return { kind: 'event', body, detail };
}
