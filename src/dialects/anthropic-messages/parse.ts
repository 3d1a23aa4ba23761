import { RoundhouseError } from '../../errors.ts';
import type { PromptContent } from '../../events/record.ts';
import { historyOf, promptOf } from './content.ts';
import type { HistoryMessage } from './content.ts';
import { fieldAsks, ruleOf } from './fields.ts';
import { describeIssues } from '../issues.ts';
import { bodySchema } from './schema.ts';
import type { Body } from './schema.ts';

/** What a request for a message asks of us. */
export interface MessagesRequest {
  readonly prompt: PromptContent;
  /** What was said before; `[]` on a named session, whose history is its own. */
  readonly history: readonly HistoryMessage[];
  /** The model of this turn. */
  readonly model?: string;
  /** The system prompt that replaces the agent's own. */
  readonly system?: string;
  readonly stream: boolean;
  /** Tokens the model may think for in each message; 0 switches thinking off. Absent: the agent decides. */
  readonly maxThinkingTokens?: number;
  /** Whether the answer shows thinking blocks. */
  readonly showThinking: boolean;
  /** `metadata.session_id`: the session's name, unchecked. */
  readonly sessionName?: string;
  /** Fields that were given and have no effect, for the header `x-roundhouse-ignored`. Names and paths only. */
  readonly ignored: readonly string[];
}

export interface ParseOptions {
  /** Models that may be asked for. */
  readonly models: readonly string[];
  /** Whether the path or a header names a session; then the history is not ours to take. */
  readonly sessionNamed: boolean;
}

/**
 * Reads the body of `POST /v1/messages`. Throws `unsupported_field` naming every field that is refused,
 * `invalid_request` with the path of each mistake, `model_not_found`.
 */
export function parseMessagesRequest(body: unknown, options: ParseOptions): MessagesRequest {
  const fields = asFields(body);
  const ignored = new Set<string>();
  const accepted = sortFields(fields, ignored);
  const parsed = bodySchema.safeParse(accepted);
  if (!parsed.success) {
    throw new RoundhouseError('invalid_request', describeIssues(parsed.error, accepted));
  }
  const request = parsed.data;
  checkModel(request.model, options.models);
  if ((request.metadata?.user_id ?? null) !== null) ignored.add('metadata.user_id');
  const sessionName = request.metadata?.session_id ?? undefined;
  const named = options.sessionNamed || sessionName !== undefined;
  return {
    ...splitMessages(request, named, (field) => ignored.add(field)),
    ...(request.model == null ? {} : { model: request.model }),
    ...systemOf(request, (field) => ignored.add(field)),
    stream: request.stream === true,
    ...thinkingOf(request),
    ...(sessionName === undefined ? {} : { sessionName }),
    ignored: [...ignored],
  };
}

function asFields(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return { ...body };
  throw new RoundhouseError(
    'invalid_request',
    'body: expected a JSON object with "model", "max_tokens" and "messages"',
  );
}

/** The fields that take effect or are ignored; throws for refused ones, all at once. Unknown ones are left to the schema. */
function sortFields(
  fields: Record<string, unknown>,
  ignored: Set<string>,
): Record<string, unknown> {
  const refused: string[] = [];
  const accepted: [string, unknown][] = [];
  for (const [name, value] of Object.entries(fields)) {
    const rule = ruleOf(name);
    if (rule?.effect === 'refused') {
      if (fieldAsks(rule, value)) refused.push(`${name} (${plain(rule.note)})`);
      continue;
    }
    if (rule?.effect === 'ignored' && fieldAsks(rule, value)) ignored.add(name);
    accepted.push([name, value]);
  }
  if (refused.length > 0) {
    throw new RoundhouseError(
      'unsupported_field',
      `not supported by this server: ${refused.join('; ')}. Remove ${refused.length === 1 ? 'it' : 'them'}`,
    );
  }
  return Object.fromEntries(accepted);
}

/** A rule's note inside a sentence. */
function plain(note: string): string {
  return note.replaceAll('`', '').replace(/\.$/, '');
}

function checkModel(model: string | null | undefined, models: readonly string[]): void {
  if (model == null || models.includes(model)) return;
  throw new RoundhouseError(
    'model_not_found',
    `model: expected one of ${models.join(', ')}, got ${JSON.stringify(model.slice(0, 100))}`,
  );
}

function splitMessages(
  request: Body,
  named: boolean,
  ignore: (field: string) => void,
): Pick<MessagesRequest, 'prompt' | 'history'> {
  const { messages } = request;
  const start = messages.findLastIndex((message) => message.role === 'assistant') + 1;
  if (start === messages.length) {
    throw new RoundhouseError(
      'unsupported_field',
      `messages.${messages.length - 1}.role: expected "user" in the last message, got "assistant"; an answer can't be begun for the agent (prefill)`,
    );
  }
  const earlier = messages.slice(0, start);
  const prompt = promptOf(messages.slice(start), start, ignore);
  if (!named) return { prompt, history: historyOf(earlier, ignore) };
  if (start > 0) ignore(start === 1 ? 'messages[0]' : `messages[0..${start - 1}]`);
  return { prompt, history: [] };
}

function systemOf(request: Body, ignore: (field: string) => void): Pick<MessagesRequest, 'system'> {
  if (request.system == null) return {};
  if (typeof request.system === 'string') return { system: request.system };
  if (request.system.some((block) => block.cache_control != null)) ignore('cache_control');
  return { system: request.system.map((block) => block.text).join('\n\n') };
}

function thinkingOf(request: Body): Pick<MessagesRequest, 'maxThinkingTokens' | 'showThinking'> {
  const { thinking } = request;
  if (thinking == null) return { showThinking: false };
  switch (thinking.type) {
    case 'disabled':
      return { maxThinkingTokens: 0, showThinking: false };
    case 'adaptive':
      return { showThinking: thinking.display !== 'omitted' };
    case 'enabled':
      return {
        maxThinkingTokens: thinking.budget_tokens,
        showThinking: thinking.display !== 'omitted',
      };
    default:
      return thinking satisfies never;
  }
}
