import { parse } from 'yaml';

import type { Setting } from './settings.ts';

/**
 * The value that a text from the environment or a flag stands for. Lists are separated by commas, or written as in the
 * file: `[{id: a, hash: …}]`. A text that does not fit is returned as it is: the schema tells what was expected.
 */
export function valueOfText({ type }: Setting, text: string): unknown {
  if (type === 'integer') return /^[+-]?\d+$/.test(text.trim()) ? Number(text) : text;
  if (type === 'boolean') return BOOLEANS.get(text.trim().toLowerCase()) ?? text;
  return type === 'list' ? listOf(text) : text;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
]);

function listOf(text: string): unknown {
  if (!text.trimStart().startsWith('[')) {
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
  try {
    return parse(text);
  } catch {
    return text;
  }
}
