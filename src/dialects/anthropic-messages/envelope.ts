import type {
  Message,
  RawMessageDeltaEvent,
  RawMessageStartEvent,
  StopReason,
} from '@anthropic-ai/sdk/resources/messages';
import type { TurnEnd } from '../../events/record.ts';

/** Stop reasons of the last model message that mean the same for the whole turn. */
const PASSED_ON = [
  'max_tokens',
  'refusal',
  'stop_sequence',
  'model_context_window_exceeded',
] as const satisfies StopReason[];

/** The one `message_start` of an answer. Its id is the turn's, so that logs and events can be found by it. */
export function messageStart(
  turnId: string,
  model: string,
  inputTokens: number,
): RawMessageStartEvent {
  const message: Message = {
    id: `msg_${turnId.replace(/^turn_/, '')}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    container: null,
    diagnostics: null,
    usage: {
      input_tokens: inputTokens,
      output_tokens: 0,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      cache_creation: null,
      inference_geo: null,
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: null,
      speed: null,
    },
  };
  return { type: 'message_start', message };
}

/** The `message_delta` of a turn that has an answer; its usage is the sum over all model requests of the turn. */
export function messageDelta(end: TurnEnd): RawMessageDeltaEvent {
  return {
    type: 'message_delta',
    delta: {
      stop_reason: stopReasonOf(end),
      stop_sequence: null,
      stop_details: null,
      container: null,
    },
    usage: {
      input_tokens: end.usage.inputTokens,
      output_tokens: end.usage.outputTokens,
      cache_creation_input_tokens: end.usage.cacheCreationInputTokens,
      cache_read_input_tokens: end.usage.cacheReadInputTokens,
      output_tokens_details: null,
      server_tool_use: null,
    },
  };
}

/**
 * `max_turns` is `pause_turn`: the agent could have gone on, and does when it is prompted again. A completed turn whose
 * last model message asked for a tool is `end_turn`: a client has nothing to answer.
 */
function stopReasonOf(end: TurnEnd): StopReason {
  if (end.reason === 'max_tokens' || end.reason === 'refusal') return end.reason;
  if (end.reason === 'max_turns') return 'pause_turn';
  const passedOn = PASSED_ON.find((reason) => reason === end.stopReason);
  return passedOn ?? 'end_turn';
}
