import type { ModelInfo } from '@anthropic-ai/sdk/resources/models';
import { z } from 'zod';

export const modelAnswer = z
  .object({
    type: z.literal('model'),
    id: z.string(),
    display_name: z.string(),
    created_at: z.iso.datetime(),
    capabilities: z.null(),
    deprecated_at: z.null(),
    lifecycle: z.literal('active'),
    line: z.null(),
    max_input_tokens: z.null(),
    max_tokens: z.null(),
    retires_at: z.null(),
  })
  .meta({ id: 'Model' }) satisfies z.ZodType<ModelInfo>;

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
