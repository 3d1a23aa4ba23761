import type { Command } from 'commander';
import { EventEmitter } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';

import { createProgram } from './create-program.ts';
import { EXIT_CODES } from '../exit-codes.ts';

const FILE = new URL('../../../docs/cli.md', import.meta.url);
const MARK = '<!-- From the program; run the test with UPDATE_DOCS=1. -->\n';
/** Their flags are those of every setting, which docs/configuration.md lists. */
const ELSEWHERE = ['serve', 'config'];

/** The help of every command that does something. */
function helpOf(command: Command, path: string): string[] {
  return command.commands.flatMap((sub) => {
    const name = `${path} ${sub.name()}`;
    if (sub.commands.length > 0) return helpOf(sub, name);
    if (ELSEWHERE.includes(sub.name())) return [];
    return [`### ${name.trim()}\n\n\`\`\`text\n${written(sub)}\n\`\`\`\n`];
  });
}

function written(command: Command): string {
  let text = '';
  command.configureOutput({
    writeOut: (piece) => (text += piece),
    getOutHelpWidth: () => 110,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  return text.trimEnd();
}

const context = {
  env: {},
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  signals: new EventEmitter(),
};

it('says in docs/cli.md what the help of every command says', async () => {
  const needs = { settings: false, completing: false };
  const program = await createProgram({ context, done: () => {} }, needs);
  const [before = ''] = readFileSync(FILE, 'utf8').split(MARK);
  const expected = `${before}${MARK}\n${helpOf(program, '').join('\n')}`;
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(FILE, expected);
  expect(readFileSync(FILE, 'utf8')).toBe(expected);
});

it('says in docs/cli.md and in the help of `run` what the program ends with', async () => {
  const text = readFileSync(FILE, 'utf8');
  const listed = [...text.matchAll(/^\| (\d+) +\| `(\w+)` /gm)].map(([, code, name]) => [
    name,
    Number(code),
  ]);
  expect(Object.fromEntries(listed)).toEqual(EXIT_CODES);
  const help = /### run\n[^]*?\n```\n/.exec(text)?.[0] ?? '';
  const codes = [...help.matchAll(/^ {2}(\d+) {2}/gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(Object.values(EXIT_CODES));
});
