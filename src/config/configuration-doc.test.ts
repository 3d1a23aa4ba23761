import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';

import type { Setting } from './settings.ts';
import { SETTINGS } from './settings.ts';

const DOC = new URL('../../docs/configuration.md', import.meta.url);

/**
 * The table of docs/configuration.md, made from the schema. After a change of the schema run this test once with
 * `UPDATE_DOCS=1` in the environment, then the formatter.
 */
it('docs/configuration.md has one row for each setting, as the schema says', () => {
  const rows = SETTINGS.map(row);
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(DOC, withTable(read(), rows));
  const found = read()
    .split('\n')
    .filter((line) => /^\| `[a-z][A-Za-z.]*`/.test(line))
    .map((line) => line.replaceAll(/ +/g, ' '));
  expect(found).toEqual(rows);
});

function row(setting: Setting): string {
  const text = setting.default === undefined ? '' : `\`${JSON.stringify(setting.default)}\``;
  const cells = [
    `\`${setting.path}\``,
    `\`${setting.env}\``,
    `\`--${setting.flag}\``,
    setting.expected,
    text === '' ? '-' : text,
    setting.description,
  ];
  return `| ${cells.join(' | ')} |`;
}

function read(): string {
  return readFileSync(DOC, 'utf8');
}

function withTable(text: string, rows: readonly string[]): string {
  const lines = text.split('\n');
  const first = lines.findIndex((line) => line.startsWith('| setting'));
  const length = lines.slice(first).findIndex((line) => !line.startsWith('|'));
  const head = [
    '| setting | variable | flag | value | default | what it does |',
    '| --- | --- | --- | --- | --- | --- |',
  ];
  return lines.toSpliced(first, length, ...head, ...rows).join('\n');
}
