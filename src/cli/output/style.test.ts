import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';

import { isTerminal, paintFor, terminalWidth } from './style.ts';

function terminal(more: object = {}): PassThrough {
  return Object.assign(new PassThrough(), { isTTY: true }, more);
}

const coloured = (stream: PassThrough, env: Record<string, string> = {}): boolean =>
  paintFor(stream, env)('x', 'red') !== 'x';

it('paints on a terminal only, and not for NO_COLOR or a dumb one', () => {
  expect(coloured(terminal())).toBe(true);
  expect(coloured(new PassThrough())).toBe(false);
  expect(coloured(new PassThrough(), { TERM: 'xterm-256color' })).toBe(false);
  expect(coloured(terminal(), { NO_COLOR: '1' })).toBe(false);
  // An empty one counts as not set (no-color.org).
  expect(coloured(terminal(), { NO_COLOR: '' })).toBe(true);
  expect(coloured(terminal(), { TERM: 'dumb' })).toBe(false);
});

it('gives a look to text that there is, and ends it', () => {
  const paint = paintFor(terminal(), {});
  expect(paint('x', 'red')).toBe('\u001b[31mx\u001b[0m');
  expect(paint('', 'red')).toBe('');
  expect(paint('x', undefined)).toBe('x');
});

it('knows the width of a terminal, and that a pipe has none', () => {
  expect(terminalWidth(terminal({ columns: 120 }))).toBe(120);
  expect(terminalWidth(terminal({ columns: 0 }))).toBe(80);
  expect(terminalWidth(Object.assign(new PassThrough(), { columns: 120 }))).toBeUndefined();
  expect(isTerminal(new PassThrough())).toBe(false);
});
