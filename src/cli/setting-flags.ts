import { Option } from 'commander';
import type { Command } from 'commander';
import { readFileSync } from 'node:fs';

import type { CliContext } from './context.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Setting } from '../config/settings.ts';
import { CONFIG_FILE_ENV } from '../config/environment-names.ts';
import { loadConfig } from '../config/load.ts';
import { SETTINGS } from '../config/settings.ts';

/** The flags that most people need; all others follow in groups of their own. */
const COMMON = new Set(['server.host', 'server.port', 'dataDir', 'pool.maxProcesses', 'log.level']);

/** Adds `--config` and a flag for every setting. */
export function addSettingFlags(command: Command): Command {
  command.addOption(new Option('--config <file>', `YAML file to read (env: ${CONFIG_FILE_ENV})`));
  for (const setting of SETTINGS) {
    const group = COMMON.has(setting.path) ? [] : [`Settings of ${setting.path.split('.')[0]}:`];
    const option = new Option(`--${setting.flag} <${placeholder(setting)}>`, help(setting));
    for (const heading of group) option.helpGroup(heading);
    command.addOption(option);
  }
  return command;
}

/** Loads the configuration with the flags that the command was given. */
export function loadFromCommand(command: Command, context: CliContext): LoadedConfig {
  const given: Record<string, unknown> = command.opts();
  const flags: Record<string, string | undefined> = {};
  for (const option of command.options) {
    const value = given[option.attributeName()];
    if (typeof value === 'string') flags[option.name()] = value;
  }
  return loadConfig({ flags, env: context.env, readFile: (path) => readFileSync(path, 'utf8') });
}

function placeholder({ type, expected }: Setting): string {
  if (expected.startsWith('one of ')) return expected.slice('one of '.length).replaceAll(', ', '|');
  return { integer: 'number', boolean: 'true|false', string: 'text', list: 'list' }[type];
}

function help(setting: Setting): string {
  const standard =
    setting.default === undefined ? '' : `; default: ${JSON.stringify(setting.default)}`;
  return `${setting.description} (env: ${setting.env}${standard})`;
}
