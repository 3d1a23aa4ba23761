import { ApiError } from './errors.ts';

/** One model as `GET /v1/models` shows it. */
export interface ModelInfo {
  type: 'model';
  id: string;
  display_name: string;
  created_at: string;
  capabilities: null;
  deprecated_at: null;
  max_input_tokens: number;
  max_tokens: number;
}

/** A page of models, newest first. */
export interface ModelPage {
  data: ModelInfo[];
  has_more: boolean;
  first_id: string | null;
  last_id: string | null;
}

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1000;

/** Newest first. `POST /v1/messages` takes any model name; this list is only what is shown. */
const MODELS: readonly ModelInfo[] = [
  model('claude-opus-5-5', 'Claude Opus 5.5 (simulated)', '2026-08-01T00:00:00Z'),
  model('claude-sonnet-5-5', 'Claude Sonnet 5.5 (simulated)', '2026-07-01T00:00:00Z'),
  model('claude-haiku-5-5', 'Claude Haiku 5.5 (simulated)', '2026-06-01T00:00:00Z'),
  model('claude-haiku-4-5', 'Claude Haiku 4.5 (simulated)', '2025-10-01T00:00:00Z'),
];

/** The page that `limit` (1 to 1000, default 20), `after_id` and `before_id` ask for. Throws a 400 {@link ApiError}. */
export function listModels(query: URLSearchParams): ModelPage {
  const limit = Number(query.get('limit') ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    throw new ApiError(400, `limit: expected a whole number from 1 to ${MAX_LIMIT}`);
  }
  const afterId = query.get('after_id');
  const beforeId = query.get('before_id');
  const start = afterId === null ? 0 : indexOf(afterId, 'after_id') + 1;
  const end = beforeId === null ? MODELS.length : indexOf(beforeId, 'before_id');
  const within = MODELS.slice(start, end);
  const data = beforeId === null ? within.slice(0, limit) : within.slice(-limit);
  return {
    data,
    has_more: data.length < within.length,
    first_id: data.at(0)?.id ?? null,
    last_id: data.at(-1)?.id ?? null,
  };
}

/** The model with this id. Throws a 404 {@link ApiError}. */
export function findModel(id: string): ModelInfo {
  const found = MODELS.find((candidate) => candidate.id === id);
  if (found === undefined) throw new ApiError(404, `model: ${id}`);
  return found;
}

function indexOf(id: string, parameter: string): number {
  const index = MODELS.findIndex((candidate) => candidate.id === id);
  if (index < 0) throw new ApiError(400, `${parameter}: no model "${id}"`);
  return index;
}

function model(id: string, displayName: string, createdAt: string): ModelInfo {
  return {
    type: 'model',
    id,
    display_name: displayName,
    created_at: createdAt,
    capabilities: null,
    deprecated_at: null,
    max_input_tokens: 200_000,
    max_tokens: 128_000,
  };
}
