import type { LiveItem } from './tail.ts';

/** What an item takes besides its texts, roughly. */
const ITEM_BYTES = 200;

/**
 * About how much memory an item holds while it waits for a reader: a record as its JSON is long, a preview as its text. A
 * preview comes for every token and must cost next to nothing here.
 */
export function approximateBytes(item: LiveItem): number {
  if (item.record !== undefined) return ITEM_BYTES + JSON.stringify(item.record).length;
  const { preview } = item;
  switch (preview.kind) {
    case 'text_delta':
    case 'thinking_delta':
      return ITEM_BYTES + preview.text.length;
    case 'tool_input_delta':
      return ITEM_BYTES + preview.json.length;
    case 'message_start':
    case 'block_start':
    case 'block_stop':
      return ITEM_BYTES;
    default:
      return preview satisfies never;
  }
}
