import { readFileSync } from 'node:fs';

/** The rows of the first table under `heading` of a Markdown file, as their cells; the head and the rule left out. */
export function docTable(file: URL, heading: string): string[][] {
  const section = readFileSync(file, 'utf8').split(`\n${heading}\n`)[1] ?? '';
  const lines = section.split('\n');
  const start = lines.findIndex((line) => line.startsWith('|'));
  const length = lines.slice(start).findIndex((line) => !line.startsWith('|'));
  const rows = lines.slice(start, length === -1 ? undefined : start + length);
  return rows.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
