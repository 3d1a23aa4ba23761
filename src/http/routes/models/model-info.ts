import type { ModelInfo } from '@anthropic-ai/sdk/resources/models';

/** A model in Anthropic's shape. What this server does not know is null; the API itself uses the epoch for an unknown date. */
export function modelInfo(id: string): ModelInfo {
  return {
    type: 'model',
    id,
    display_name: id,
    created_at: '1970-01-01T00:00:00Z',
    capabilities: null,
    deprecated_at: null,
    lifecycle: 'active',
    line: null,
    max_input_tokens: null,
    max_tokens: null,
    retires_at: null,
  };
}
