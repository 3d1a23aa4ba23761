import type { EventRecord } from './record.ts';

/**
 * A piece of an event on its way: never kept, never numbered, and never shown after the record that completes it. Finer
 * than the previews of the Managed Agents API, because the Anthropic Messages dialect needs every block.
 */
export type Preview =
  | {
      readonly kind: 'message_start';
      readonly messageId: string;
      readonly model: string;
      readonly inputTokens: number;
    }
  | {
      readonly kind: 'block_start';
      readonly messageId: string;
      readonly index: number;
      readonly block: PreviewBlock;
      /** The id of the record that will complete the block. Of a block that never is complete, no record has it. */
      readonly eventId: string;
    }
  | {
      readonly kind: 'text_delta';
      readonly messageId: string;
      readonly index: number;
      readonly text: string;
    }
  | {
      readonly kind: 'thinking_delta';
      readonly messageId: string;
      readonly index: number;
      readonly text: string;
    }
  | {
      readonly kind: 'tool_input_delta';
      readonly messageId: string;
      readonly index: number;
      readonly json: string;
    }
  | { readonly kind: 'block_stop'; readonly messageId: string; readonly index: number };

export type PreviewBlock =
  | { readonly type: 'text' }
  | { readonly type: 'thinking' }
  | { readonly type: 'tool_use'; readonly toolUseId: string; readonly name: string };

/** Records that are gone: retention removed them before this reader asked. Both numbers included. */
export interface Gap {
  readonly from: number;
  readonly to: number;
}

/**
 * What a reader of a session's log gets: kept records in order, previews between them, and, ahead of the first record, the
 * gap where records that it asked for are gone.
 */
export type LogItem =
  | { readonly record: EventRecord; readonly preview?: never; readonly gap?: never }
  | {
      readonly preview: Preview;
      readonly turnId: string;
      readonly record?: never;
      readonly gap?: never;
    }
  | { readonly gap: Gap; readonly record?: never; readonly preview?: never };

/**
 * What is gone between the last number that a reader has seen and the first record of what it was given. Numbers have no
 * holes and a log always keeps its last record, so the first record tells it.
 */
export function gapBefore(seen: number, first: EventRecord | undefined): Gap | undefined {
  if (first === undefined || first.number === seen + 1) return undefined;
  return { from: seen + 1, to: first.number - 1 };
}
