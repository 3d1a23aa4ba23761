import type { Command } from 'commander';

import type { ClientFlags } from '../client/connection.ts';
import type { EnvironmentCreateFlags } from '../commands/environments.ts';
import type { ListFlags } from '../client/list-pages.ts';
import type { ProgramParts } from './program-parts.ts';
import { addClientOptions, addJsonOption, addListOptions, collected } from './client-options.ts';

/** `roundhouse environments`. */
export function addEnvironments(program: Command, { context, done }: ProgramParts): void {
  const environments = program.command('environments').description('Where sessions run.');

  addListOptions(
    environments.command('list').description('List environments, newest first.'),
  ).action(async (flags: ClientFlags & ListFlags) => {
    const { listEnvironments } = await import('../commands/environments.ts');
    done(await listEnvironments(flags, context));
  });

  const show = environments
    .command('show')
    .description('Print an environment. Secret variables are not shown.')
    .argument('<id>', 'env_…');
  addClientOptions(addJsonOption(show)).action(async (id: string, flags: ClientFlags) => {
    const { showEnvironment } = await import('../commands/environments.ts');
    done(await showEnvironment(id, flags, context));
  });

  const create = environments
    .command('create')
    .description('Make an environment and print its id.')
    .option('--name <name>', 'its name')
    .option('--description <text>', 'what it is for')
    .option(
      '--workspace <folder>',
      "fresh (default): an empty folder for each session; or a folder on the server's machine that it allows",
    )
    .option(
      '--clone <folder>',
      "each session gets a clone of that repository on the server's machine, in a folder that it allows",
    )
    .option('--ref <ref>', 'of the clone: a branch, a tag or the full id of a commit')
    .option(
      '--limit <name=ms>',
      'a limit of its turns, such as turn_ms=600000; can be given again',
      collected,
    )
    .option('--variable <name=value>', 'a variable of its processes; can be given again', collected)
    .option(
      '--secret <name>',
      'the same, write-only, with the value that it has here; can be given again',
      collected,
    )
    .option('--metadata <key=value>', 'a note of yours; can be given again', collected)
    .option('--file <file>', 'all fields, as YAML or JSON; - reads stdin. Flags beat it')
    .addHelpText(
      'after',
      `
Examples:
  roundhouse environments create --name here
  roundhouse environments create --name project --workspace /srv/project --variable APP_MODE=test --secret APP_TOKEN
  roundhouse environments create --name reviews --clone /srv/project --ref main --limit turn_ms=600000`,
    );
  addClientOptions(addJsonOption(create)).action(async (flags: EnvironmentCreateFlags) => {
    const { createEnvironment } = await import('../commands/environments.ts');
    done(await createEnvironment(flags, context));
  });

  const archive = environments
    .command('archive')
    .description('Archive an environment, for good: it can be read, not be changed or used.')
    .argument('<id>', 'env_…');
  addClientOptions(addJsonOption(archive)).action(async (id: string, flags: ClientFlags) => {
    const { archiveEnvironment } = await import('../commands/environments.ts');
    done(await archiveEnvironment(id, flags, context));
  });

  const remove = environments
    .command('delete')
    .description('Delete an environment. Asks first.')
    .argument('<id>', 'env_…')
    .option('--yes', 'do not ask');
  addClientOptions(addJsonOption(remove)).action(
    async (id: string, flags: ClientFlags & { yes?: boolean }) => {
      const { deleteEnvironment } = await import('../commands/environments.ts');
      done(await deleteEnvironment(id, flags, context));
    },
  );
}
