import { newEventId } from '../events/ids.ts';
import type { PromptContent, SessionEvent } from '../events/record.ts';

type ResultContent = NonNullable<
  Extract<SessionEvent, { type: 'user.custom_tool_result' }>['content']
>;
type SystemContent = Extract<SessionEvent, { type: 'system.message' }>['content'];

/** One thing that a client sends into a session; of one request all happen, or none. */
export type SessionInput =
  /** A prompt, which runs when its turn has come. */
  | {
      readonly kind: 'prompt';
      readonly content: PromptContent;
      /** What the agent is given in the place of content that names files. */
      readonly given?: PromptContent;
      /** What the operator adds to the system prompt with it. */
      readonly system?: SystemContent;
    }
  /** Stops the turn that runs or waits for its client, or else the prompt that waits first; nothing, where there is neither. */
  | { readonly kind: 'interrupt' }
  /** Answers a call that waits for leave, by the id of its event. `message`: what the model is told of a denial. */
  | {
      readonly kind: 'answer';
      readonly toolUseEventId: string;
      readonly result: 'allow' | 'deny';
      readonly message?: string;
    }
  /** The result of a call of the client's own tool, by the id of its event. */
  | {
      readonly kind: 'result';
      readonly toolUseEventId: string;
      readonly content: ResultContent;
      readonly isError: boolean;
    };

/** What tells a request that is sent again from another one. */
export interface IdempotencyKey {
  /** 1 to 255 characters, the caller's own; unique in the session for a day. */
  readonly key: string;
  /** The same for the same inputs only. */
  readonly digest: string;
}

/** A request that sends inputs into a session. */
export interface SubmitRequest {
  readonly idempotency?: IdempotencyKey | undefined;
  /**
   * Adds to the inputs what the agent is given for them. Asked before anything is kept, and only for a request that has not
   * been answered before; what it rejects with refuses the request.
   */
  readonly complete?:
    | ((inputs: readonly SessionInput[]) => Promise<readonly SessionInput[]>)
    | undefined;
}

/** An input with the events that it becomes. */
export interface PlannedInput {
  readonly input: SessionInput;
  readonly events: readonly SessionEvent[];
}

/** The events that inputs become, at a moment. `ids`: those that they became before, in order; default: new ones. */
export function planInputs(
  inputs: readonly SessionInput[],
  at: string,
  ids?: readonly string[],
): PlannedInput[] {
  const left = [...(ids ?? [])];
  const nextId = (): string => left.shift() ?? newEventId();
  return inputs.map((input) => ({ input, events: eventsOf(input, nextId, at) }));
}

/** The text that the operator adds with a prompt, as the agent is given it. */
export function systemText(system: SystemContent): string {
  return system.map(({ text }) => text).join('\n\n');
}

/** A prompt is processed when it is delivered, so its events don't say when: that is looked up. */
function eventsOf(input: SessionInput, nextId: () => string, at: string): SessionEvent[] {
  switch (input.kind) {
    case 'prompt': {
      const { content, system } = input;
      const message: SessionEvent = { type: 'user.message', id: nextId(), content };
      if (system === undefined) return [message];
      return [message, { type: 'system.message', id: nextId(), content: system }];
    }
    case 'interrupt':
      return [{ type: 'user.interrupt', id: nextId(), processed_at: at }];
    case 'answer': {
      const { toolUseEventId, result, message } = input;
      return [
        {
          type: 'user.tool_confirmation',
          id: nextId(),
          tool_use_id: toolUseEventId,
          result,
          ...(message !== undefined && { deny_message: message }),
          processed_at: at,
        },
      ];
    }
    case 'result': {
      const { toolUseEventId, content, isError } = input;
      return [
        {
          type: 'user.custom_tool_result',
          id: nextId(),
          custom_tool_use_id: toolUseEventId,
          content,
          is_error: isError,
          processed_at: at,
        },
      ];
    }
    default:
      return input satisfies never;
  }
}
