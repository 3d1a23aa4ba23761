import type { LogItem } from '../events/preview.ts';

/** The items of batches, each for itself: for a reader to whom its ease is worth a wait per item. Aborting ends it. */
export async function* oneByOne(
  batches: AsyncIterable<readonly LogItem[]>,
  signal?: AbortSignal,
): AsyncGenerator<LogItem, void, undefined> {
  for await (const items of batches) {
    for (const item of items) {
      if (signal?.aborted === true) return;
      yield item;
    }
  }
}
