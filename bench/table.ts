import type { Row, Unit } from './comparison.ts';

const HEADERS = [
  'what',
  'n',
  'base',
  'base median',
  'ours median',
  'unit',
  'ratio',
  'difference',
  'base p99',
  'ours p99',
];
/** Columns of words; the others hold numbers and stand to the right. */
const WORDS = new Set([0, 2, 5]);
const GAP = '-';

/** The rows as a Markdown table, aligned, so that it reads well in a terminal and can be pasted into a document. */
export function formatTable(rows: readonly Row[]): string {
  const lines = [HEADERS, ...rows.map(cellsOf)];
  const widths = HEADERS.map((_, column) =>
    // Two at least: a rule that stands to the right is a dash and a colon.
    Math.max(2, ...lines.map((cells) => cells[column]?.length ?? 0)),
  );
  const rule = widths.map((width, column) =>
    WORDS.has(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  const [header = [], ...body] = lines.map((cells) =>
    cells.map((cell, column) =>
      WORDS.has(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
    ),
  );
  return [header, rule, ...body].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** A number with as many digits as it deserves: greater ones whole (rates from 10 on), smaller ones with up to two decimals. */
export function formatNumber(value: number | null, unit: Unit): string {
  if (value === null) return GAP;
  const wholeFrom = unit.endsWith('/s') ? 10 : 1000;
  const decimals = Math.abs(value) >= wholeFrom ? 0 : decimalsOf(value);
  return value.toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

function decimalsOf(value: number): number {
  return Math.abs(value) >= 100 ? 1 : 2;
}

function cellsOf(row: Row): string[] {
  const number = (value: number | null): string => formatNumber(value, row.unit);
  const sign = row.difference !== null && row.difference > 0 ? '+' : '';
  return [
    row.what,
    String(row.n),
    row.base ?? GAP,
    number(row.baseMedian),
    number(row.oursMedian),
    row.unit,
    row.ratio === null ? GAP : row.ratio.toFixed(2),
    `${sign}${number(row.difference)}`,
    number(row.baseP99),
    number(row.oursP99),
  ];
}
