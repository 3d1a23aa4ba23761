import type { CliContext } from '../context.ts';

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

/** How a piece of text may look. */
export type Style = keyof typeof CODES;

/** Gives a text a look, or leaves it alone. */
export type Paint = (text: string, style: Style | undefined) => string;

/** Colour is for terminals that have it, and not for who has set `NO_COLOR` (https://no-color.org). */
export function paintFor(stream: CliContext['stdout'], env: CliContext['env']): Paint {
  const wanted = isTerminal(stream) && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  if (!wanted) return (text) => text;
  return (text, style) =>
    style === undefined || text === '' ? text : `\u001b[${CODES[style]}m${text}\u001b[0m`;
}

/** Whether a person may be at the other end of the stream. */
export function isTerminal(stream: CliContext['stdout'] | CliContext['stdin']): boolean {
  return 'isTTY' in stream && stream.isTTY === true;
}

/** Columns of the terminal; undefined where there is none, so nothing needs to be shortened. */
export function terminalWidth(stream: CliContext['stdout']): number | undefined {
  if (!isTerminal(stream)) return undefined;
  const columns: unknown = 'columns' in stream ? stream.columns : undefined;
  return typeof columns === 'number' && columns > 0 ? columns : 80;
}
