import type { CliContext } from '../context.ts';
import type { ClientFlags, Connection } from './connection.ts';
import { connect } from './connection.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { failureText } from '../failure.ts';
import { Output } from '../output/output.ts';
import { requestFailure } from './request-failure.ts';
import { UsageError } from '../usage-error.ts';

/** What a command gets that talks with a server. */
export interface ServerCommand extends Connection {
  readonly out: Output;
}

/**
 * Runs a command against the server of its flags and tells what became of it as an exit code. What fails is told on stderr in
 * words, never with the key.
 */
export async function withServer(
  flags: ClientFlags,
  context: CliContext,
  run: (command: ServerCommand) => Promise<ExitCode | void>,
): Promise<ExitCode> {
  let connection: Connection | undefined;
  try {
    connection = await connect(flags, context);
    return (await run({ ...connection, out: new Output(context, flags.json) })) ?? EXIT_CODES.ok;
  } catch (error) {
    const usage = error instanceof UsageError;
    const text =
      usage || connection === undefined
        ? usage
          ? error.message
          : failureText(error)
        : requestFailure(error, connection);
    context.stderr.write(`${text}\n`);
    return usage ? EXIT_CODES.usage : EXIT_CODES.failed;
  }
}
