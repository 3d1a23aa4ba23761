import type {
  Message,
  RawContentBlockDeltaEvent,
  RawContentBlockStopEvent,
  RawMessageDeltaEvent,
  RawMessageStartEvent,
  RawMessageStopEvent,
  TextBlock,
  ThinkingBlock,
} from '@anthropic-ai/sdk/resources/messages';
import type {
  BetaMCPToolResultBlock,
  BetaMCPToolUseBlock,
} from '@anthropic-ai/sdk/resources/beta/messages';
import type { ErrorCode } from '../../errors.ts';

/**
 * Content blocks that an answer can have. The two `mcp_` blocks come only with `x-agent-events: blocks`; they are in the
 * SDK's beta types, and its stable accumulator keeps them as they are.
 */
export type AnswerBlock = TextBlock | ThinkingBlock | BetaMCPToolUseBlock | BetaMCPToolResultBlock;

/** Anthropic's error body; the same object is the data of the `error` event. */
export interface ErrorBody {
  readonly type: 'error';
  readonly error: {
    readonly type: string;
    readonly message: string;
    /** Our code: the SDKs have it as `errorCode`, and make errors of their own of those that the API knows too. */
    readonly details: { readonly error_code: ErrorCode };
  };
  readonly request_id: string;
}

/** One event of the answer's stream, named by its `type`. Exactly one of the last two kinds ends the stream. */
export type MessageEvent =
  | RawMessageStartEvent
  | {
      readonly type: 'content_block_start';
      readonly index: number;
      readonly content_block: AnswerBlock;
    }
  | RawContentBlockDeltaEvent
  | RawContentBlockStopEvent
  | RawMessageDeltaEvent
  | RawMessageStopEvent
  | ErrorBody;

/** The body of an answer that is not streamed. */
export type MessageBody = Omit<Message, 'content'> & { content: AnswerBlock[] };

/** What of the agent's tool use an answer shows; see docs/http-api.md. */
export const AGENT_EVENT_MODES = ['hide', 'blocks', 'text'] as const;
export type AgentEventMode = (typeof AGENT_EVENT_MODES)[number];
