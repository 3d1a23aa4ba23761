import type { Command } from 'commander';

import type { ProgramParts } from './program-parts.ts';
import type { SimulatorFlags } from '../commands/simulator.ts';

/** The commands that need no server: `serve`, `config`, `keys`, `simulator`. */
export async function addLocal(
  program: Command,
  { context, done }: ProgramParts,
  settings: boolean,
): Promise<void> {
  const addSettingFlags = await settingFlags(settings);
  addSettingFlags(program.command('serve').description('Run the server.')).action(
    async (_flags: unknown, command: Command) => {
      const { serve } = await import('../commands/serve.ts');
      done(await serve(command, context));
    },
  );

  addSettingFlags(
    program
      .command('config')
      .description('Print the effective configuration and where each value came from.')
      .option('--json', 'print JSON'),
  ).action(async (_flags: unknown, command: Command) => {
    const { config } = await import('../commands/config.ts');
    done(config(command, context));
  });

  program
    .command('keys')
    .description('Keys that clients use.')
    .command('new')
    .description('Make a key: prints it once, with the hash for the configuration.')
    .option('--id <id>', 'names the key in logs and owns its sessions')
    .action(async ({ id }: { id?: string }) => {
      const { newKey } = await import('../commands/keys.ts');
      done(newKey(id, context));
    });

  program
    .command('simulator')
    .description('Run the simulator of the Anthropic Messages API alone.')
    .option('--host <address>', 'address to listen on; it asks for no key', '127.0.0.1')
    .option('--port <number>', 'port to listen on, 0 takes a free one', '8788')
    .option('--token-delay <ms>', 'pause between two tokens, 0..10000', '20')
    .action(async (flags: SimulatorFlags) => {
      const { simulator } = await import('../commands/simulator.ts');
      done(await simulator(flags, context));
    });
}

/** Reading the schema takes longer than most commands do, so only those that have its flags wait for it. */
async function settingFlags(needed: boolean): Promise<(command: Command) => Command> {
  if (!needed) return (command) => command;
  const { addSettingFlags } = await import('../setting-flags.ts');
  return addSettingFlags;
}
