import type { Command } from 'commander';
import { stringify } from 'yaml';

import type { CliContext } from '../context.ts';
import type { ShownSetting } from '../../config/show.ts';
import { failureText } from '../failure.ts';
import { loadFromCommand } from '../setting-flags.ts';
import { resolveUpstream } from '../../config/upstream.ts';
import { showConfig } from '../../config/show.ts';

/** Where the comments begin, if the value leaves room. */
const COMMENT_COLUMN = 44;

/** `roundhouse config`: prints the effective configuration and where each value came from, with secrets masked. */
export function config(command: Command, context: CliContext): number {
  try {
    const loaded = loadFromCommand(command, context);
    const shown = showConfig(loaded.config, loaded.origins);
    const { kind, variables } = resolveUpstream(context.env, loaded.config.simulator.mode);
    const upstream = { kind, variables: Object.keys(variables).toSorted() };
    const asJson = command.opts()['json'] === true;
    context.stdout.write(
      asJson
        ? `${JSON.stringify({ settings: shown, upstream }, null, 2)}\n`
        : `${asYaml(shown)}# upstream: ${[kind, ...upstream.variables].join(', ')}\n`,
    );
    return 0;
  } catch (error) {
    context.stderr.write(`${failureText(error)}\n`);
    return 1;
  }
}

/** YAML with the origin of each value as a comment; what is not set is a comment as a whole. */
function asYaml(settings: readonly ShownSetting[]): string {
  const lines: string[] = [];
  let open: readonly string[] = [];
  for (const { path, value, origin } of settings) {
    const parts = path.split('.');
    const groups = parts.slice(0, -1);
    for (const [depth, group] of groups.entries()) {
      if (
        open[depth] === group &&
        open.slice(0, depth).join('.') === groups.slice(0, depth).join('.')
      )
        continue;
      lines.push(`${'  '.repeat(depth)}${group}:`);
    }
    open = groups;
    const indent = '  '.repeat(groups.length);
    const name = parts.at(-1) ?? path;
    const line = value === undefined ? `${indent}# ${name}:` : `${indent}${name}: ${inline(value)}`;
    const note = value === undefined ? 'not set' : origin.name;
    lines.push(`${line.padEnd(COMMENT_COLUMN)} # ${note}`);
  }
  return `${lines.join('\n')}\n`;
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim().replaceAll('\n', ' ');
}
