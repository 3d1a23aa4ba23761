import { InvalidArgumentError } from 'commander';
import type { Command } from 'commander';

import { CLIENT_KEY_ENV, CLIENT_URL_ENV } from '../../config/environment-names.ts';

const GROUP = 'Server:';

/** Adds what every command has that talks with a server. */
export function addClientOptions(command: Command): Command {
  return command
    .optionsGroup(GROUP)
    .option(
      '--url <url>',
      `the server (env: ${CLIENT_URL_ENV}; default: the one configured on this machine)`,
    )
    .option('--key <key>', `a key of the server (env: ${CLIENT_KEY_ENV})`);
}

/** Adds the options of a command that lists, and those of its server. */
export function addListOptions(command: Command): Command {
  command
    .option('--limit <n>', 'how many to show (default: 20)', wholeNumber)
    .option('--all', 'show all, however many')
    .option('--page <token>', 'go on where an earlier list ended')
    .option('--archived', 'the archived ones too');
  return addClientOptions(addJsonOption(command));
}

/** Adds `--json` for one document. */
export function addJsonOption(command: Command): Command {
  return command.option('--json', 'print JSON and nothing else');
}

/** Adds the flags that choose tools. */
export function addToolOptions(command: Command): Command {
  return command
    .option('--tools <list>', 'tools that may run: all, none, or names such as read,glob,grep')
    .option('--ask <list>', 'tools that wait for leave, in the same form');
}

/** Reads a whole number above 0. */
export function wholeNumber(text: string): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new InvalidArgumentError('Expected a whole number above 0.');
}

/** Gathers an option that may be given more than once. */
export function collected(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text];
}
