import completion from '@bomb.sh/tab';
import type { Command } from 'commander';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';

import { createProgram } from './create-program.ts';

const CONTEXT = {
  env: {},
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  signals: new EventEmitter(),
};

/** Every command below one, by its words, with the long names of its options. */
function commandsOf(command: Command, path: string): [string, string[]][] {
  return command.commands.flatMap((sub): [string, string[]][] => {
    const name = `${path} ${sub.name()}`.trim();
    const options = sub.options.flatMap(({ long }) => long?.slice(2) ?? []);
    return [[name, options], ...commandsOf(sub, name)];
  });
}

it('completes every command and every option that there is, each with a word on what it is', async () => {
  const needs = { settings: true, completing: true };
  const program = await createProgram({ context: CONTEXT, done: () => {} }, needs);
  const commands = commandsOf(program, '');
  expect(commands.map(([name]) => name)).toEqual(
    expect.arrayContaining(['serve', 'keys new', 'run', 'sessions tail', 'agents create']),
  );
  for (const [name, options] of commands) {
    const known = completion.commands.get(name);
    expect(known?.description, name).toBeTruthy();
    // `complete` itself asks the library for its help.
    if (name === 'complete') continue;
    expect([...(known?.options.keys() ?? [])].toSorted(), name).toEqual(
      [...options, 'help'].toSorted(),
    );
  }
});
