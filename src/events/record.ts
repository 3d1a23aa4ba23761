import type {
  BetaManagedAgentsSessionEvent,
  BetaManagedAgentsUserMessageEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions';
import type { ErrorCode } from '../errors.ts';

/**
 * A kept event in the form of Anthropic's Managed Agents API; the types are those of `@anthropic-ai/sdk`
 * (`resources/beta/sessions`).
 */
export type SessionEvent = BetaManagedAgentsSessionEvent;

/** What a prompt consists of: text, image and document blocks, as the Managed Agents API has them. */
export type PromptContent = BetaManagedAgentsUserMessageEvent['content'];

/** A block that names a file in the place of its data. */
export type FileBlock = Extract<PromptContent[number], { type: 'image' | 'document' }> & {
  readonly source: { readonly type: 'file'; readonly file_id: string };
};

export function namesFile(block: PromptContent[number]): block is FileBlock {
  return (block.type === 'image' || block.type === 'document') && block.source.type === 'file';
}

/** Tokens, and dollars where the agent tells them. Sums over every model request of what it describes. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheReadInputTokens: number;
  readonly cacheCreationInputTokens: number;
  /** List price of the turn in US dollars as the agent estimates it; 0 when unknown. */
  readonly costUsd: number;
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  outputTokens: 0,
  cacheReadInputTokens: 0,
  cacheCreationInputTokens: 0,
  costUsd: 0,
};

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    cacheReadInputTokens: a.cacheReadInputTokens + b.cacheReadInputTokens,
    cacheCreationInputTokens: a.cacheCreationInputTokens + b.cacheCreationInputTokens,
    costUsd: a.costUsd + b.costUsd,
  };
}

/** The list price in cents, up to the whole one: nothing is seen as cheaper than it was. */
export function listCostCents({ costUsd }: Usage): number {
  // Sums of fractions are a little off; what a millionth of a cent tells is not a cost.
  return Math.ceil(Number((costUsd * 100).toFixed(6)));
}

/** How a turn ended. The closed list; `failed` carries the code that says why. */
export type TurnEndReason =
  | 'completed'
  | 'max_tokens'
  | 'refusal'
  | 'max_turns'
  | 'interrupted'
  | 'cancelled'
  | 'failed';

/** The end of a turn. Exactly one record of a turn has it (`requires_action` is never the end). */
export interface TurnEnd {
  readonly reason: TurnEndReason;
  /** Set unless the reason is `completed`, `max_tokens`, `refusal` or `max_turns`. */
  readonly error?: {
    readonly code: ErrorCode;
    readonly message: string;
    readonly retryAfterSeconds?: number;
  };
  readonly usage: Usage;
  /** Model requests of the turn. */
  readonly modelRequests: number;
  /** `stop_reason` of the last model message, for example `end_turn`; null when there was none. */
  readonly stopReason: string | null;
}

/** A notice that the agent will call the model again. */
export interface RetryNotice {
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly waitMs: number;
  /** The HTTP status that caused it; null for a connection error. */
  readonly status: number | null;
}

/** What a record carries beyond the wire format. It is ours: dialects may show it, the Managed Agents API does not. */
export interface EventDetail {
  readonly turnEnd?: TurnEnd;
  /** The id of the model message that a block belongs to. */
  readonly modelMessageId?: string;
  /** Place of the block in its model message. */
  readonly blockIndex?: number;
  /** The model that answered. */
  readonly model?: string;
  /** The model's `stop_reason`, on `span.model_request_end`. */
  readonly stopReason?: string | null;
  /** Thinking text, on `agent.thinking`; the wire format has none. */
  readonly thinking?: string;
  readonly thinkingSignature?: string;
  /** Uuid of the transcript entry that this record stands for; fork and edit need it. */
  readonly transcriptUuid?: string;
  readonly usage?: Usage;
  readonly retry?: RetryNotice;
  /** The agent's id of a tool call, on tool uses and results. */
  readonly toolUseId?: string;
  /** The tool call within which this happened (a subagent's work). */
  readonly parentToolUseId?: string;
  /** On the `user.message` of a prompt: its options, so that a prompt that was never delivered can still run. */
  readonly prompt?: PromptOptions;
  /** On `session.status_running`: the prompt of the turn is about to be written to a process. */
  readonly delivered?: true;
  /** The attachment of the process that produced it. */
  readonly clientId?: string;
  /** On a permission decision made by a policy. */
  readonly denied?: string;
  /**
   * On `session.status_running`: the ids of the events of calls whose answers are about to be handed to a process. From here
   * on what was allowed may have been carried out, and is never handed to another one.
   */
  readonly handed?: readonly string[];
  /** On a `session.status_running` behind another one of the same wait: a further process takes the turn up. */
  readonly takenUp?: true;
}

/** Options of one prompt that must survive until it is delivered. */
export interface PromptOptions {
  /** The model of this turn only. */
  readonly model?: string;
  /** What the operator adds to the system prompt with it, from this turn on. It has a `system.message` of its own. */
  readonly system?: string;
  /** Who answers when a call of a tool waits for leave. Default `nobody`. */
  readonly answers?: 'client' | 'nobody';
}

/** A record before the log has given it a number. */
export interface NewRecord {
  readonly turnId: string | null;
  readonly body: SessionEvent;
  readonly detail: EventDetail;
  /**
   * On the `user.message` of a prompt that names files: what the agent is given in the place of its content. It is kept beside
   * the records until the prompt is delivered; no record that is read has it.
   */
  readonly given?: PromptContent;
}

/** A kept event. Immutable; numbers of a session start at 1 and have no gaps. */
export interface EventRecord extends NewRecord {
  readonly number: number;
  readonly sessionId: string;
  /** Wall clock, RFC 3339. */
  readonly at: string;
  readonly type: SessionEvent['type'];
}

/** The end that a record carries, if it is the last of its turn. */
export function turnEndOf(record: { readonly detail: EventDetail }): TurnEnd | undefined {
  return record.detail.turnEnd;
}
