import type { AnswerPlan, PlannedBlock } from './answer.ts';
import type { UsageCounts } from './directives.ts';
import type { AnswerIds } from './ids.ts';

/** A message as the API returns it. */
export interface MessageObject {
  id: string;
  type: 'message';
  role: 'assistant';
  model: string;
  content: object[];
  stop_reason: string;
  stop_sequence: null;
  stop_details: object | null;
  usage: object;
}

/** The whole answer as one message; also the base of `message_start`, with other `blocks`. */
export function messageObject(
  plan: AnswerPlan,
  ids: AnswerIds,
  model: string,
  blocks: readonly PlannedBlock[] = plan.blocks,
): MessageObject {
  return {
    id: ids.message,
    type: 'message',
    role: 'assistant',
    model,
    content: blocks.map((block, index) => contentBlock(block, ids, index)),
    stop_reason: plan.stopReason,
    stop_sequence: null,
    stop_details:
      plan.stopReason === 'refusal'
        ? { type: 'refusal', category: null, explanation: 'Simulated refusal.' }
        : null,
    usage: { ...startUsage(plan.usage), output_tokens: plan.usage.output },
  };
}

/** The usage of `message_start`: all that goes in, and one token out. */
export function startUsage(usage: Required<UsageCounts>): object {
  return {
    ...usageObject(usage),
    output_tokens: 1,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite,
      ephemeral_1h_input_tokens: 0,
    },
    service_tier: 'standard',
  };
}

/** The usage of `message_delta`: the totals of the whole message. */
export function usageObject(usage: Required<UsageCounts>): object {
  return {
    input_tokens: usage.input,
    cache_creation_input_tokens: usage.cacheWrite,
    cache_read_input_tokens: usage.cacheRead,
    output_tokens: usage.output,
  };
}

function contentBlock(block: PlannedBlock, ids: AnswerIds, index: number): object {
  switch (block.type) {
    case 'thinking':
      return { type: 'thinking', thinking: block.text, signature: ids.signature };
    case 'text':
      return { type: 'text', text: block.text, citations: null };
    case 'tool_use':
      return { type: 'tool_use', id: ids.tool(index), name: block.name, input: block.input };
    default:
      return block satisfies never;
  }
}
