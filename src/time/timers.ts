/**
 * Everything that waits for time does it here. Timers are the global ones, so that fake timers step them, and are unref'd
 * unless asked otherwise, so that a forgotten one never keeps the process alive.
 */

/** A scheduled call. `cancel` may be called twice, also after it ran. */
export interface Timer {
  cancel(): void;
}

/** The longest delay that `setTimeout` keeps; a longer one would fire at once. 2^31 - 1 ms, 24.8 days. */
export const MAX_DELAY_MS = 2_147_483_647;

export interface TimerOptions {
  /** Whether the timer alone keeps the process alive. Default false. */
  keepAlive?: boolean;
}

/** Calls `run` once, `delayMs` (0 to {@link MAX_DELAY_MS}, clamped) from now. `run` must not throw. */
export function after(delayMs: number, run: () => void, options: TimerOptions = {}): Timer {
  const handle = setTimeout(run, Math.min(Math.max(0, delayMs), MAX_DELAY_MS));
  if (options.keepAlive !== true) handle.unref();
  return { cancel: () => clearTimeout(handle) };
}

/** Calls `run` every `periodMs`, the first time one period from now. `run` must not throw. */
export function every(periodMs: number, run: () => void): Timer {
  const handle = setInterval(run, Math.min(Math.max(1, periodMs), MAX_DELAY_MS));
  handle.unref();
  return { cancel: () => clearInterval(handle) };
}

/**
 * Resolves when everything that is ready to run has had its turn: for long work that would hold the event loop, between two
 * pieces of it.
 */
export function letOthersRun(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Resolves after `delayMs`. Rejects with the signal's reason as soon as it aborts. */
export function sleep(
  delayMs: number,
  signal?: AbortSignal,
  options: TimerOptions = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = after(
      delayMs,
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      options,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
