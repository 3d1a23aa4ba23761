import type { CliContext } from '../context.ts';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** A signal that aborts when the person, or who reads stdout, has left. */
export interface LeavingSignal {
  readonly signal: AbortSignal;
  /** Listens no more. */
  readonly stop: () => void;
}

/** Listens for Ctrl-C, SIGTERM, and the end of whoever reads stdout, until it is stopped. */
export function leavingSignal({ signals, stdout }: CliContext): LeavingSignal {
  const controller = new AbortController();
  const leave = (): void => controller.abort();
  for (const name of SIGNALS) signals.on(name, leave);
  stdout.on('error', leave);
  return {
    signal: controller.signal,
    stop: () => {
      for (const name of SIGNALS) signals.off(name, leave);
      stdout.off('error', leave);
    },
  };
}
