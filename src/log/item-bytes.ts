import type { LiveItem } from './tail.ts';

/** What an item takes besides its texts, roughly. */
const ITEM_BYTES = 200;

/** A text with such a character takes two bytes for each, any other one. */
const BEYOND_LATIN_1 = /[\u0100-\uffff]/;

/**
 * About how much memory an item holds while it waits for a reader: a record what its JSON would, a preview its text. A
 * preview comes for every token and must cost next to nothing here.
 */
export function approximateBytes(item: LiveItem): number {
  if (item.record !== undefined) return ITEM_BYTES + textBytes(JSON.stringify(item.record));
  const { preview } = item;
  switch (preview.kind) {
    case 'text_delta':
    case 'thinking_delta':
      return ITEM_BYTES + textBytes(preview.text);
    case 'tool_input_delta':
      return ITEM_BYTES + textBytes(preview.json);
    case 'message_start':
    case 'block_start':
    case 'block_stop':
      return ITEM_BYTES;
    default:
      return preview satisfies never;
  }
}

function textBytes(text: string): number {
  return BEYOND_LATIN_1.test(text) ? 2 * text.length : text.length;
}
