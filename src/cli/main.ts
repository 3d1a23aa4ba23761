import { Command, CommanderError } from 'commander';
import { readFileSync } from 'node:fs';

import type { ChatFlags } from './commands/chat.ts';
import type { CliContext } from './context.ts';
import type { SimulatorFlags } from './commands/simulator.ts';
import { CLIENT_KEY_ENV } from '../config/environment-names.ts';
import { failureText } from './failure.ts';
import { PROCESS_CONTEXT } from './context.ts';

/** The command line was not understood, as shells have it. */
const USAGE = 2;

/**
 * Runs one command line (without the program's name) and resolves with its exit code: 0, 1 for a failure, 2 for a command
 * line that was not understood. Never rejects. Commands load what they need only when they run.
 */
export async function runCli(
  argv: readonly string[],
  context: CliContext = PROCESS_CONTEXT,
): Promise<number> {
  let exitCode = 0;
  try {
    const program = await createProgram(argv, context, (code) => {
      exitCode = code;
    });
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    context.stderr.write(`${failureText(error)}\n`);
    return 1;
  }
}

/** The commands; `done` is told the exit code of the one that ran. */
async function createProgram(
  argv: readonly string[],
  context: CliContext,
  done: (exitCode: number) => void,
): Promise<Command> {
  const program = new Command('roundhouse')
    .description('Hosts Claude Code sessions behind HTTP.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: (text) => void context.stderr.write(text),
    })
    .showHelpAfterError('Run with --help to see what there is.');

  const addSettingFlags = await settingFlags(argv);
  addSettingFlags(program.command('serve').description('Run the server.')).action(
    async (_flags: unknown, command: Command) => {
      const { serve } = await import('./commands/serve.ts');
      done(await serve(command, context));
    },
  );

  addSettingFlags(
    program
      .command('config')
      .description('Print the effective configuration and where each value came from.')
      .option('--json', 'print JSON'),
  ).action(async (_flags: unknown, command: Command) => {
    const { config } = await import('./commands/config.ts');
    done(config(command, context));
  });

  program
    .command('chat')
    .description(
      'Talk with a session in the terminal. Ctrl-C interrupts the turn, a second one leaves.',
    )
    .option('--url <url>', 'the server', 'http://127.0.0.1:8787')
    .option('--key <key>', `a key of the server (env: ${CLIENT_KEY_ENV})`)
    .option('--session <id>', 'the session to begin or go on with; by default a new one')
    .option('--model <name>', 'the model; by default the first that the server offers')
    .option(
      '--workspace <folder>',
      "the folder that a new session works in, on the server's machine and of those that it allows; by default one of its own",
    )
    .action(async (flags: ChatFlags) => {
      const { chat } = await import('./commands/chat.ts');
      done(await chat(flags, context));
    });

  program
    .command('keys')
    .description('Keys that clients use.')
    .command('new')
    .description('Make a key: prints it once, with the hash for the configuration.')
    .option('--id <id>', 'names the key in logs and owns its sessions')
    .action(async ({ id }: { id?: string }) => {
      const { newKey } = await import('./commands/keys.ts');
      done(newKey(id, context));
    });

  program
    .command('simulator')
    .description('Run the simulator of the Anthropic Messages API alone.')
    .option('--host <address>', 'address to listen on; it asks for no key', '127.0.0.1')
    .option('--port <number>', 'port to listen on, 0 takes a free one', '8788')
    .option('--token-delay <ms>', 'pause between two tokens, 0..10000', '20')
    .action(async (flags: SimulatorFlags) => {
      const { simulator } = await import('./commands/simulator.ts');
      done(await simulator(flags, context));
    });

  return program;
}

/** Reading the schema takes longer than most commands do, so only those that have its flags wait for it. */
async function settingFlags(argv: readonly string[]): Promise<(command: Command) => Command> {
  const needed = argv.includes('serve') || argv.includes('config');
  if (!needed) return (command) => command;
  const { addSettingFlags } = await import('./setting-flags.ts');
  return addSettingFlags;
}

function packageVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const manifest: unknown = JSON.parse(text);
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest;
  return known ? String(manifest.version) : 'unknown';
}
