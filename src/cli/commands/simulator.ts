import type { CliContext } from '../context.ts';
import { failureText } from '../failure.ts';
import { runUntilStopped } from '../until-stopped.ts';

/** Flags of `roundhouse simulator`, as texts. */
export interface SimulatorFlags {
  readonly host: string;
  readonly port: string;
  readonly tokenDelay: string;
}

/** `roundhouse simulator`: runs the simulator of the Anthropic Messages API alone, until a signal comes. */
export async function simulator(flags: SimulatorFlags, context: CliContext): Promise<number> {
  const port = wholeNumber(flags.port, 65_535);
  const tokenDelayMs = wholeNumber(flags.tokenDelay, 10_000);
  if (port === undefined || tokenDelayMs === undefined) {
    const [flag, value, maximum] =
      port === undefined
        ? ['--port', flags.port, 65_535]
        : ['--token-delay', flags.tokenDelay, 10_000];
    context.stderr.write(
      `${flag}: expected a whole number from 0 to ${maximum}, got ${JSON.stringify(value)}\n`,
    );
    return 1;
  }
  const { startSimulator } = await import('../../simulator/simulator.ts');
  try {
    return await runUntilStopped(
      async () => {
        const running = await startSimulator({ host: flags.host, port, tokenDelayMs });
        return { url: running.url, drain: () => running.close(), close: () => running.close() };
      },
      ({ url }) =>
        context.stdout.write(
          `The simulator listens on ${url}\nIt answers by rule, not with a model; docs/simulator.md says what it can do.\nTry: ANTHROPIC_BASE_URL=${url} with any Anthropic client and any key.\n`,
        ),
      context,
    );
  } catch (error) {
    context.stderr.write(`${failureText(error, { host: flags.host, port })}\n`);
    return 1;
  }
}

function wholeNumber(text: string, maximum: number): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Infinity;
  return value <= maximum ? value : undefined;
}
