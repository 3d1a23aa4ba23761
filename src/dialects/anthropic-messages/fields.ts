import type { MessageCreateParamsBase as BetaParams } from '@anthropic-ai/sdk/resources/beta/messages/messages';
import type { MessageCreateParamsBase as Params } from '@anthropic-ai/sdk/resources/messages/messages';

/**
 * What happens to a field of `POST /v1/messages`. The rule behind the choices: a field whose loss would change the answer
 * is refused; one whose loss changes only cost, speed or attribution is ignored and named in `x-roundhouse-ignored`.
 * `max_tokens` is the one exception: every SDK sends it.
 */
export interface FieldRule {
  readonly effect: 'takes effect' | 'ignored' | 'refused';
  /** One sentence for docs/http-api.md. */
  readonly note: string;
  /** Whether a value asks for something; a field that does not ask is as good as absent. Default: not null, not `[]`. */
  readonly asks?: (value: unknown) => boolean;
}

/** Sampling parameters that older SDKs still send. */
type LegacyField = 'temperature' | 'top_p' | 'top_k';
type NestedField = `${string}.${string}`;

function takesEffect(note: string): FieldRule {
  return { effect: 'takes effect', note };
}

function ignored(note: string): FieldRule {
  return { effect: 'ignored', note };
}

function refused(note: string, asks?: (value: unknown) => boolean): FieldRule {
  return asks === undefined ? { effect: 'refused', note } : { effect: 'refused', note, asks };
}

const hasSetting = (value: unknown): boolean =>
  typeof value !== 'object' || value === null
    ? asksForSomething(value)
    : Object.values(value).some(asksForSomething);

/** Every field of the SDK's `MessageCreateParams`, stable and beta; the compiler misses none. */
export const FIELDS = {
  messages: takesEffect(
    'The user messages at the end are the prompt; earlier ones are the history of a one-shot call, and ignored (`messages[0..n]`) on a named session, which has its own.',
  ),
  model: takesEffect(
    'For this turn; one of `GET /v1/models`, else 404. Absent: the default of the session.',
  ),
  system: takesEffect(
    "Replaces the agent's system prompt. On a session whose value differs, the process is restarted and the conversation resumed.",
  ),
  stream: takesEffect('Server-sent events instead of one JSON body.'),
  metadata: takesEffect('See its two fields.'),
  'metadata.session_id': takesEffect('Names the session; ours, not in the API.'),
  'metadata.user_id': ignored('Not sent on to the model API.'),
  thinking: takesEffect(
    '`enabled`: `budget_tokens` bounds the thinking of each message; `disabled`: none; `adaptive`: the agent decides. With `enabled` and `adaptive`, thinking blocks are shown. `between_tools` is refused.',
  ),
  'thinking.display': takesEffect('`omitted`: thinking blocks are left out of the answer.'),
  max_tokens: ignored("Not passed on; the agent's own limit holds."),
  cache_control: ignored('The agent places its own cache marks; in blocks too.'),
  diagnostics: ignored('The agent makes several model requests; there is no one cache miss.'),
  service_tier: ignored("The agent's own tier is used."),
  temperature: refused('The agent has no such setting.'),
  top_p: refused('The agent has no such setting.'),
  top_k: refused('The agent has no such setting.'),
  stop_sequences: refused('The agent has no such setting; `[]` is accepted.'),
  tools: refused(
    "The agent's own tools are used; an agent of the Managed Agents API has tools of its client. `[]` is accepted.",
  ),
  tool_choice: refused('The agent chooses.'),
  container: refused('There is no code execution container.'),
  inference_geo: refused('Where the model runs is fixed by the upstream of this server.'),
  output_config: refused('Neither `effort` nor `format` can be passed on.', hasSetting),
  output_format: refused('See `output_config`.'),
  speed: refused(
    '`standard` is accepted.',
    (value) => asksForSomething(value) && value !== 'standard',
  ),
  context_management: refused('The agent manages its context itself.', hasSetting),
  compaction: refused('The agent compacts by itself.'),
  mcp_servers: refused('An agent of the Managed Agents API names them; `[]` is accepted.'),
  fallbacks: refused('Only the named model answers.'),
  fallback_credit_token: refused('Nothing is billed here.'),
  billing_policy: refused('Nothing is billed here.'),
  thread: refused('Conversations are named by `x-session-id`.'),
  betas: refused('A header, `anthropic-beta`, which is accepted.'),
  user_profile_id: refused(
    'A header, `anthropic-user-profile-id`, which is ignored and listed as such.',
  ),
  workspace_id: refused('A header, `anthropic-workspace-id`, which is ignored and listed as such.'),
  'messages.*.role': takesEffect(
    '`user` and `assistant`. `system` is refused; so is `assistant` in the last message (prefill).',
  ),
  'messages.*.content': takesEffect(
    'In the prompt: `text`, `image` (base64, url), `document` (base64, text, url); uploaded files only by the Managed Agents API. In the history also `thinking`, `redacted_thinking`, `tool_use`, `tool_result`. Any other block is refused.',
  ),
  'messages.*.content.*.cache_control': ignored('Listed as `cache_control`.'),
  'messages.*.content.*.mcp_tool_use': ignored(
    'What `x-agent-events: blocks` gave; left out of the history, like `mcp_tool_result`.',
  ),
  'messages.*.content.*.citations': refused(
    'On a document; `{"enabled": false}` is accepted. On text it is listed as `citations`; in the history it is passed on.',
  ),
  'messages.*.content.*.transformations': refused('Images are passed on as they are.'),
} as const satisfies Record<keyof Params | keyof BetaParams | LegacyField, FieldRule> &
  Record<NestedField, FieldRule>;

/** The rule of a top-level field, or undefined for a field that the API does not have. */
export function ruleOf(field: string): FieldRule | undefined {
  return Object.entries<FieldRule>(FIELDS).find(
    ([name]) => name === field && !name.includes('.'),
  )?.[1];
}

/** Whether `value` asks for something, by the field's rule. */
export function fieldAsks(rule: FieldRule, value: unknown): boolean {
  return (rule.asks ?? asksForSomething)(value);
}

function asksForSomething(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null;
}
