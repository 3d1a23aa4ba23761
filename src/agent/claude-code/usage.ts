import type { SDKResultMessage } from '@anthropic-ai/claude-agent-sdk';

import type { Usage } from '../../events/record.ts';
import { addUsage, NO_USAGE } from '../../events/record.ts';
import { isRecord, numberOr0 } from './unknown.ts';

/** Usage in the form of the Messages API; fields that are missing or null count as 0. */
export function usageOfMessage(usage: unknown): Usage {
  if (!isRecord(usage)) return NO_USAGE;
  return {
    inputTokens: numberOr0(usage['input_tokens']),
    outputTokens: numberOr0(usage['output_tokens']),
    cacheReadInputTokens: numberOr0(usage['cache_read_input_tokens']),
    cacheCreationInputTokens: numberOr0(usage['cache_creation_input_tokens']),
    costUsd: 0,
  };
}

/** The later numbers of a streaming message over the earlier ones: a field that the later one lacks keeps its value. */
export function updatedUsage(before: Usage, later: unknown): Usage {
  if (!isRecord(later)) return before;
  const pick = (field: string, old: number): number =>
    typeof later[field] === 'number' ? numberOr0(later[field]) : old;
  return {
    inputTokens: pick('input_tokens', before.inputTokens),
    outputTokens: pick('output_tokens', before.outputTokens),
    cacheReadInputTokens: pick('cache_read_input_tokens', before.cacheReadInputTokens),
    cacheCreationInputTokens: pick('cache_creation_input_tokens', before.cacheCreationInputTokens),
    costUsd: before.costUsd,
  };
}

/**
 * What one turn used, subagents and retries included. `model_usage_since_last_result` (not in the SDK's types) is the only
 * field that says so: `usage` leaves subagents out, and `modelUsage` and `total_cost_usd` are sums over the conversation,
 * which go on counting after a resume.
 */
export function usageOfTurn(result: SDKResultMessage): Usage {
  const perModel: unknown = Reflect.get(result, 'model_usage_since_last_result');
  if (!isRecord(perModel)) return usageOfMessage(result.usage);
  return Object.values(perModel)
    .filter(isRecord)
    .map((model) => ({
      inputTokens: numberOr0(model['inputTokens']),
      outputTokens: numberOr0(model['outputTokens']),
      cacheReadInputTokens: numberOr0(model['cacheReadInputTokens']),
      cacheCreationInputTokens: numberOr0(model['cacheCreationInputTokens']),
      costUsd: numberOr0(model['costUSD']),
    }))
    .reduce(addUsage, NO_USAGE);
}
