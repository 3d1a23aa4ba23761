import { onOneLine } from './printable.ts';
import { padded, shortened, textWidth } from './text-width.ts';
import type { Paint, Style } from './style.ts';

const GAP = '  ';
/** Below this a shortened text says nothing any more; the line is then wider than the terminal. */
const LEAST_COLUMNS = 8;

/** One column of a table. */
export interface Column<Row> {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly style?: (row: Row) => Style | undefined;
  /** May be shortened where the terminal is narrow. Ids may not: who can't copy them can't use them. */
  readonly shrinks?: true;
}

/** What a table is drawn with. */
export interface TableLook {
  /** Columns of the terminal; undefined for as wide as it gets. */
  readonly width: number | undefined;
  readonly paint: Paint;
}

/** The rows under their titles, aligned, each line ended. Whatever a cell holds, it is one line and commands no terminal. */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  { width, paint }: TableLook,
): string {
  const cells = rows.map((row) => columns.map(({ value }) => onOneLine(value(row))));
  const natural = columns.map(({ title }, index) =>
    Math.max(textWidth(title), ...cells.map((line) => textWidth(line[index] ?? ''))),
  );
  const widths = fitted(columns, natural, width);
  const line = (texts: readonly string[], style: (index: number) => Style | undefined): string =>
    texts
      .map((text, index) => {
        const cut = shortened(text, widths[index] ?? 0);
        // The last one ends the line: blanks behind it would only make it wrap.
        const last = index === texts.length - 1;
        return (
          paint(cut, style(index)) + (last ? '' : padded('', (widths[index] ?? 0) - textWidth(cut)))
        );
      })
      .join(GAP)
      .trimEnd();
  const titles = line(
    columns.map(({ title }) => title),
    () => 'dim',
  );
  const body = rows.map((row, at) =>
    line(cells[at] ?? [], (index) => columns[index]?.style?.(row)),
  );
  return `${[titles, ...body].join('\n')}\n`;
}

/** Takes from the widest column that may shrink, one by one, until the line fits. */
function fitted<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number | undefined,
): number[] {
  const widths = [...natural];
  if (width === undefined) return widths;
  let excess = widths.reduce((sum, one) => sum + one, GAP.length * (widths.length - 1)) - width;
  while (excess > 0) {
    const widest = columns.reduce<number | undefined>((found, { shrinks }, index) => {
      const own = widths[index] ?? 0;
      if (shrinks !== true || own <= LEAST_COLUMNS) return found;
      return found === undefined || own > (widths[found] ?? 0) ? index : found;
    }, undefined);
    if (widest === undefined) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess -= 1;
  }
  return widths;
}
