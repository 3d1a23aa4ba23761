import { Command } from 'commander';
import { readFileSync } from 'node:fs';

import type { ProgramParts } from './program-parts.ts';
import { addAgents } from './agents.ts';
import { addComplete } from './complete.ts';
import { addEnvironments } from './environments.ts';
import { addLocal } from './local.ts';
import { addSessions } from './sessions.ts';
import { addTalk } from './talk.ts';
import { CLIENT_KEY_ENV } from '../../config/environment-names.ts';
import { withoutSecrets } from '../output/without-secrets.ts';

/** What of the program is needed; the rest takes time to load. */
export interface ProgramNeeds {
  /** The flags of every setting, where a command has them. */
  readonly settings: boolean;
  /** The completion of command lines, not just its name. */
  readonly completing: boolean;
}

/** All commands with their options. */
export async function createProgram(
  parts: ProgramParts,
  { settings, completing }: ProgramNeeds,
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
  await addComplete(program, completing);
  return program;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  const manifest: unknown = JSON.parse(text);
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return known ? String(manifest.version) : 'unknown';
}
