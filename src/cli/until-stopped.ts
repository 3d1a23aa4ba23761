import type { CliContext } from './context.ts';
import { errorText } from '../errors.ts';

/** A server, as far as stopping goes. */
export interface Stoppable {
  /** Takes no new work, lets running turns finish within the limit, then closes. */
  drain(reason: string): Promise<void>;
  /** Ends at once. */
  close(): Promise<void>;
  /** Settles when it has stopped, also when it was told to by somebody else; absent where nobody else can. */
  readonly stopped?: Promise<void>;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Starts a server and keeps it until a signal comes. The first one drains it (exit code 0), the second closes it at once
 * (1), also while it is still starting. A server that stops in good order by itself ends with 0 too. Rejects with what made the start fail.
 */
export async function runUntilStopped<T extends Stoppable>(
  start: () => Promise<T>,
  onReady: (server: T) => void,
  context: Pick<CliContext, 'signals' | 'stderr'>,
): Promise<number> {
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<void>();
  let count = 0;
  const listeners = SIGNALS.map((name) => {
    const listener = (): void => {
      count += 1;
      if (count === 1) first.resolve(name);
      else second.resolve();
    };
    context.signals.on(name, listener);
    return { name, listener };
  });
  try {
    let running: T | undefined;
    const starting = start().then((server) => (running = server));
    const impatient = second.promise.then(async () => {
      context.stderr.write('Stopping at once.\n');
      await running?.close();
      return 1;
    });
    const code = await Promise.race([
      impatient,
      orderly(starting, onReady, first.promise, context),
    ]);
    // A hurried drain settles both at nearly the same moment: that it was hurried decides, not which came first.
    return count > 1 ? 1 : code;
  } finally {
    for (const { name, listener } of listeners) context.signals.off(name, listener);
  }
}

async function orderly<T extends Stoppable>(
  starting: Promise<T>,
  onReady: (server: T) => void,
  signal: Promise<string>,
  { stderr }: Pick<CliContext, 'stderr'>,
): Promise<number> {
  const server = await starting;
  onReady(server);
  try {
    const stopped = server.stopped?.then(() => undefined);
    const reason = await Promise.race(stopped === undefined ? [signal] : [signal, stopped]);
    if (reason !== undefined) {
      stderr.write(`Finishing running turns (${reason}); again to stop at once.\n`);
      await server.drain(reason);
    }
    await server.close();
    return 0;
  } catch (error) {
    stderr.write(`The server did not stop in good order: ${errorText(error)}\n`);
    return 1;
  }
}
