import { spawn } from 'node:child_process';

/** How a command ended. */
export interface CommandOutcome {
  /** Undefined when it ended with exit code 0. */
  readonly problem: string | undefined;
  readonly ms: number;
  /** A signal came to us: whoever sent it wants nothing more to run. */
  readonly stopped: boolean;
}

/** From a polite end to one that is not. */
const KILL_AFTER_MS = 10_000;

/**
 * Runs a command on this terminal and waits for its end. Never rejects. Past `limitMs` it is ended; a signal that comes to
 * us is passed on to it.
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: { readonly env: Record<string, string>; readonly cwd: string; readonly limitMs: number },
): Promise<CommandOutcome> {
  const { env, cwd, limitMs } = options;
  const begin = performance.now();
  const { promise, resolve } = Promise.withResolvers<CommandOutcome>();
  const child = spawn(file, args, { env, cwd, stdio: 'inherit' });
  let cause: string | undefined;
  let stopped = false;
  const end = (reason: string, signal: NodeJS.Signals): void => {
    cause ??= reason;
    child.kill(signal);
    setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS).unref();
  };
  const limit = setTimeout(() => end(`took longer than ${limitMs / 1000} s`, 'SIGTERM'), limitMs);
  const onSignal = (signal: NodeJS.Signals): void => {
    stopped = true;
    end(`stopped by ${signal}`, signal);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  const settle = (problem: string | undefined): void => {
    clearTimeout(limit);
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
    resolve({ problem, ms: performance.now() - begin, stopped });
  };
  child.once('error', (error) => settle(error.message));
  child.once('exit', (code, signal) => {
    settle(cause ?? (code === 0 ? undefined : signal === null ? `exit code ${code}` : signal));
  });
  return promise;
}
