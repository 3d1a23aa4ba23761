/**
 * Rows of one multi-row insert. One statement for many rows saves most of the cost of each; every number of rows is a
 * statement of its own in the driver's cache, which therefore must not be large. The figures are in the decision record on
 * SQLite.
 */
export const ROWS_PER_INSERT = 50;

/**
 * Rows that are copied or removed in one statement of work on a whole session, which may have any number of them. The event
 * loop stands still meanwhile; others run between two steps.
 */
export const ROWS_PER_STEP = 250;

/** Bytes of such rows, or of text that is parsed, for the same reason. One row alone may have more. */
export const BYTES_PER_STEP = 1_048_576;

/** `rows` in pieces of at most {@link ROWS_PER_INSERT}, in order. */
export function inChunks<T>(rows: readonly T[]): T[][] {
  const chunks: T[][] = [];
  for (let from = 0; from < rows.length; from += ROWS_PER_INSERT) {
    chunks.push(rows.slice(from, from + ROWS_PER_INSERT));
  }
  return chunks;
}
