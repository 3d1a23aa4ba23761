import { describe, expect, it } from 'vitest';

import { renderTable, type Column } from './table.ts';
import { textWidth } from './text-width.ts';

interface Row {
  readonly id: string;
  readonly name: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'ID', value: ({ id }) => id, style: () => 'bold' },
  { title: 'NAME', value: ({ name }) => name, shrinks: true },
  { title: 'END', value: () => 'x' },
];
const plain = (text: string): string => text;
const bold = (text: string, style: string | undefined): string =>
  style === 'bold' ? `\u001b[1m${text}\u001b[0m` : text;

function lines(rows: readonly Row[], width?: number): string[] {
  return renderTable(COLUMNS, rows, { width, paint: plain }).trimEnd().split('\n');
}

describe('a table', () => {
  it('aligns its columns, titles too, and leaves no blanks at the ends of lines', () => {
    const rows = [
      { id: '1', name: 'Ada' },
      { id: '1000', name: '' },
    ];
    expect(lines(rows)).toEqual(['ID    NAME  END', '1     Ada   x', '1000        x']);
  });

  it('aligns what is wide, joined or invisible as a terminal shows it', () => {
    const names = ['日本語', 'e\u0301te\u0301', '👩‍👩‍👧', '❤️', '한', 'zero\u200bwidth'];
    const found = lines(names.map((name) => ({ id: '1', name })));
    const columns = found.map((line) => textWidth(line.replace(/(x|END)$/, '')));
    expect(new Set(columns)).toEqual(new Set([columns[0]]));
    expect(['日本語', 'été', '👩‍👩‍👧', '❤️', 'ｆｕｌｌ'].map(textWidth)).toEqual([6, 3, 2, 2, 8]);
  });

  it('shortens what may be shortened to the width of the terminal, never an id', () => {
    const rows = [{ id: 'agent_0123456789', name: 'a name that is longer than there is room' }];
    const [titles, row] = lines(rows, 40);
    expect(row).toBe('agent_0123456789  a name that is l…  x');
    expect(textWidth(row ?? '')).toBeLessThanOrEqual(40);
    expect(titles?.indexOf('END')).toBe(row?.indexOf('x'));
    const narrow = lines(rows, 10);
    expect(narrow[1]).toBe('agent_0123456789  a name …  x');
  });

  it('cuts between what is one sign, and counts wide ones twice', () => {
    const [, row] = lines([{ id: '1', name: '日本語日本語日本語日本語' }], 17);
    expect(row).toBe('1   日本語…   x');
  });

  it('leaves a long text whole where there is no terminal', () => {
    const name = 'n'.repeat(500);
    expect(lines([{ id: '1', name }])[1]).toContain(name);
  });

  it('keeps each row on its line, and shows what would command a terminal', () => {
    const found = lines([{ id: '1', name: 'a\nb\u001b[31mc\rd\u009b' }]);
    expect(found[1]).toBe('1   a b\\u001b[31mc\\u000dd\\u009b  x');
  });

  it('aligns by what is seen, not by the codes of a colour', () => {
    const painted = renderTable(COLUMNS, [{ id: '1', name: 'Ada' }], {
      width: undefined,
      paint: bold,
    });
    // oxlint-disable-next-line no-control-regex
    expect(painted.replaceAll(/\u001b\[\d+m/g, '')).toBe('ID  NAME  END\n1   Ada   x\n');
    expect(painted).toContain('\u001b[1m1\u001b[0m   Ada');
  });
});
