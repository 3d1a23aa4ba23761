import { Command } from 'commander';
import { readFileSync } from 'node:fs';

import type { ProgramParts } from './program-parts.ts';
import { addAgents } from './agents.ts';
import { addEnvironments } from './environments.ts';
import { addLocal } from './local.ts';
import { addSessions } from './sessions.ts';
import { addTalk } from './talk.ts';
import { CLIENT_KEY_ENV } from '../../config/environment-names.ts';
import { withoutSecrets } from '../output/without-secrets.ts';

/** All commands with their options. Those that have a flag for every setting get them only where `settings` says so. */
export async function createProgram(
  parts: ProgramParts,
  { settings }: { readonly settings: boolean },
): Promise<Command> {
  const { env, stdout, stderr } = parts.context;
  const program = new Command('roundhouse')
    .description('Hosts Claude Code sessions behind HTTP.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .exitOverride()
    // `--version` of a command is that command's.
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => void stdout.write(text),
      // What was not understood is repeated here, and may have been a key.
      writeErr: (text) => void stderr.write(withoutSecrets(text, env[CLIENT_KEY_ENV] || undefined)),
    })
    .showHelpAfterError('Run with --help to see what there is.');
  await addLocal(program, parts, settings);
  addTalk(program, parts);
  addSessions(program, parts);
  addAgents(program, parts);
  addEnvironments(program, parts);
  return program;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const manifest: unknown = JSON.parse(text);
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return known ? String(manifest.version) : 'unknown';
}
