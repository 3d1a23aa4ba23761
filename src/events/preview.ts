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

/** What a reader of a session's log gets: kept records in order, and previews between them. */
export type LogItem =
  | { readonly record: EventRecord; readonly preview?: never }
  | { readonly preview: Preview; readonly turnId: string; readonly record?: never };
