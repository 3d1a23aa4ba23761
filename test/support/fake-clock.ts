import { afterEach, beforeEach, vi } from 'vitest';

/** The clocks and timers that the project uses; what is not named here (setImmediate, nextTick) stays real. */
const FAKED = [
  'setTimeout',
  'clearTimeout',
  'setInterval',
  'clearInterval',
  'Date',
  'performance',
] as const;

/** Puts fake clocks and timers under every test of the file. */
export function useFakeClock(): void {
  beforeEach(() => {
    startFakeClock();
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
}

/** Begins again at a fixed moment, with no timer set. */
export function startFakeClock(): void {
  vi.useFakeTimers({ toFake: [...FAKED], now: new Date('2026-11-22T10:00:00Z') });
}

/** Lets time pass, timer by timer. */
export async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Lets everything happen that needs no time. */
export async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

/** Moves the monotonic clock without running a timer: a machine that was asleep, an event loop that was busy. */
export function oversleep(ms: number): void {
  const now = performance.now.bind(performance);
  vi.spyOn(performance, 'now').mockImplementation(() => now() + ms);
}
