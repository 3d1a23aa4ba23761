import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { DEFAULT_TURN_LIMITS } from '../definitions/turn-limits.ts';
import { TRANSITIONS } from './states.ts';
import { limitCause } from './stop-cause.ts';
import type { TurnPhase } from './stream-handle.ts';

const DOC = readFileSync(new URL('../../docs/session-lifecycle.md', import.meta.url), 'utf8');

/** The rows of the table with that first heading, without code marks. */
function table(heading: string): string[][] {
  const lines = DOC.split('\n');
  const head = lines.findIndex((line) => line.startsWith('|') && cells(line)[0] === heading);
  const rows: string[][] = [];
  for (const line of lines.slice(head + 2)) {
    if (!line.startsWith('|')) break;
    rows.push(cells(line));
  }
  return rows;
}

function cells(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('`', ''));
}

test('docs/session-lifecycle.md shows every transition of the code, and no other', () => {
  const inCode = Object.entries(TRANSITIONS).flatMap(([from, steps]) =>
    steps.map(({ to, when }) => [from, to, when]),
  );
  expect(table('from')).toEqual(inCode);
});

test('every state is reached from another, and all but ended can be left', () => {
  const reached = new Set(Object.values(TRANSITIONS).flatMap((steps) => steps.map(({ to }) => to)));
  expect([...reached].toSorted()).toEqual(Object.keys(TRANSITIONS).toSorted());
  const final = Object.entries(TRANSITIONS).filter(([, steps]) => steps.length === 0);
  expect(final.map(([name]) => name)).toEqual(['ended']);
});

test('docs/session-lifecycle.md shows every limit with its default', () => {
  const inDocs = table('phase').map(([, limit, value]) => [limit, Number(value)]);
  expect(inDocs).toEqual(Object.entries(DEFAULT_TURN_LIMITS));
});

test('docs/session-lifecycle.md names the code that each phase ends with past its limit', () => {
  const phases: [TurnPhase, string][] = [
    ['queued', 'queued'],
    ['starting', 'starting'],
    ['awaiting-first-message', 'awaiting-first-message'],
    ['awaiting-first-token', 'awaiting-first-token'],
    ['streaming', 'streaming'],
    ['tool', 'tool'],
    ['awaiting-client', 'awaiting-client'],
    ['retrying', 'retrying'],
    ['ended', 'the whole turn'],
  ];
  for (const [phase, name] of phases) {
    const [, , , effect] = table('phase').find(([first]) => first === name) ?? [];
    expect(effect).toContain(limitCause(phase, DEFAULT_TURN_LIMITS).code);
  }
});

test('docs/session-lifecycle.md has a row for each of S1 to S18', () => {
  const rows = table('row').map(([row]) => row);
  expect(rows).toEqual(Array.from({ length: 18 }, (_, index) => `S${index + 1}`));
});
