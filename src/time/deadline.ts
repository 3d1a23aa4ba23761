import { after } from './timers.ts';

/** What a wait for something with a deadline came to. */
export type DeadlineOutcome<T> = { timedOut: false; value: T } | { timedOut: true };

/**
 * Waits for `work` at most `deadlineMs`. The work itself goes on: waiting and working are apart. A rejection of `work`
 * rejects the wait; one that comes after the deadline is ignored here, so the caller must own `work` elsewhere.
 */
export function withinDeadline<T>(
  work: Promise<T>,
  deadlineMs: number,
): Promise<DeadlineOutcome<T>> {
  return new Promise((resolve, reject) => {
    const timer = after(deadlineMs, () => resolve({ timedOut: true }), { keepAlive: true });
    work.then(
      (value) => {
        timer.cancel();
        resolve({ timedOut: false, value });
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/**
 * Waits for `work` until `signal` aborts, then rejects with its reason. The work itself goes on, and its later rejection
 * is handled, so that a waiter who left causes no unhandled rejection.
 */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const leave = (): void => signal.removeEventListener('abort', onAbort);
    work.then(
      (value) => {
        leave();
        resolve(value);
      },
      (error: unknown) => {
        leave();
        reject(error);
      },
    );
  });
}
