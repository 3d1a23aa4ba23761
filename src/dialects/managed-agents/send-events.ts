import type {
  BetaManagedAgentsSendSessionEvents,
  BetaManagedAgentsUserCustomToolResultEvent,
} from '@anthropic-ai/sdk/resources/beta/sessions/events';
import type { BetaManagedAgentsSystemMessageEvent } from '@anthropic-ai/sdk/resources/beta/sessions/sessions';
import { RoundhouseError } from '../../errors.ts';
import type { PromptContent, SessionEvent } from '../../events/record.ts';
import { sendSchema, type SentEvent } from './event-schema.ts';
import { parseBody } from './parse-body.ts';

/** What a client sends into a session. */
export type SentInput =
  | {
      readonly kind: 'prompt';
      readonly content: PromptContent;
      /** What the operator adds to the system prompt with it. */
      readonly system?: BetaManagedAgentsSystemMessageEvent['content'];
    }
  | { readonly kind: 'interrupt' }
  | {
      readonly kind: 'answer';
      /** The id of the event of the call. */
      readonly toolUseEventId: string;
      readonly result: 'allow' | 'deny';
      /** What the model is told of a denial. */
      readonly message?: string;
    }
  | {
      readonly kind: 'result';
      /** The id of the event of the call. */
      readonly toolUseEventId: string;
      readonly content: NonNullable<BetaManagedAgentsUserCustomToolResultEvent['content']>;
      readonly isError: boolean;
    };

/**
 * What `POST /v1/sessions/{id}/events` asks for, in its order: the same JSON for bodies that say the same. Throws
 * `unsupported_field` or `invalid_request`, naming the fields.
 */
export function parseSendEvents(body: unknown): SentInput[] {
  const { events } = parseBody(sendSchema, body);
  return events.flatMap((event, index) => toInput(event, events[index + 1]));
}

/** The answer to it: the events that it has become, and those that wait for their turn not processed yet. */
export function toSendAnswer(events: readonly SessionEvent[]): BetaManagedAgentsSendSessionEvents {
  return { data: events.map(toSentEvent) };
}

/** `next`: the event behind it. A system message is a part of the message before it. */
function toInput(event: SentEvent, next: SentEvent | undefined): SentInput[] {
  switch (event.type) {
    case 'user.message': {
      const { content } = event;
      if (next?.type !== 'system.message') return [{ kind: 'prompt', content }];
      return [{ kind: 'prompt', content, system: next.content }];
    }
    case 'user.interrupt':
      return [{ kind: 'interrupt' }];
    case 'system.message':
      return [];
    case 'user.tool_confirmation': {
      const { tool_use_id: toolUseEventId, result, deny_message: message } = event;
      return [{ kind: 'answer', toolUseEventId, result, ...(message != null && { message }) }];
    }
    case 'user.custom_tool_result': {
      const { custom_tool_use_id: toolUseEventId, content = [], is_error: isError } = event;
      return [{ kind: 'result', toolUseEventId, content, isError: isError === true }];
    }
    default:
      return event satisfies never;
  }
}

function toSentEvent(event: SessionEvent) {
  switch (event.type) {
    case 'user.message':
    case 'system.message':
      return { ...event, processed_at: null };
    case 'user.interrupt':
    case 'user.tool_confirmation':
    case 'user.custom_tool_result':
      return event;
    default:
      throw new RoundhouseError('internal', `A client can't send ${event.type}.`);
  }
}
