import { CommanderError } from 'commander';

import type { CliContext } from './context.ts';
import { createProgram } from './program/create-program.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { failureText } from './failure.ts';
import { PROCESS_CONTEXT } from './context.ts';

/** Commands that have a flag for every setting. */
const WITH_SETTINGS = ['serve', 'config'];

/**
 * Runs one command line (without the program's name) and resolves with its exit code, one of {@link EXIT_CODES}. Never
 * rejects. Commands load what they need only when they run.
 */
export async function runCli(
  argv: readonly string[],
  context: CliContext = PROCESS_CONTEXT,
): Promise<number> {
  let exitCode: number = EXIT_CODES.ok;
  context.stdout.on('error', (error) => {
    // Whoever reads may stop when it has enough (`| head`); anything else is a failure.
    if ('code' in error && error.code === 'EPIPE') return;
    context.stderr.write(`${failureText(error)}\n`);
    exitCode = EXIT_CODES.failed;
  });
  const done = (code: number): void => {
    exitCode = code;
  };
  try {
    const completing = argv[0] === 'complete';
    const settings = completing || WITH_SETTINGS.some((name) => argv.includes(name));
    const program = await createProgram({ context, done }, { settings, completing });
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage;
    }
    context.stderr.write(`${failureText(error)}\n`);
    return EXIT_CODES.failed;
  }
}
