/**
 * The two clocks of the project. Durations are measured on the monotonic one (a wall clock jumps); the wall clock is for
 * people and for data that outlives the process. Both go through the globals, which fake timers replace.
 */

/** Milliseconds on a clock that never goes back; only differences mean something, and only within this process. */
export function monotonicMs(): number {
  return performance.now();
}

/** Milliseconds since the Unix epoch, by the wall clock. */
export function wallClockMs(): number {
  return Date.now();
}

/** The wall clock's time as RFC 3339, for example `2026-11-22T10:15:30.123Z`. */
export function wallClockIso(): string {
  return new Date().toISOString();
}
