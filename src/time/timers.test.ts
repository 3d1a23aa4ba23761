import { expect, test, vi } from 'vitest';
import { monotonicMs, wallClockIso, wallClockMs } from './clock.ts';
import { unlessAborted, withinDeadline } from './deadline.ts';
import { after, every, MAX_DELAY_MS, sleep } from './timers.ts';
import { pass, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

test('the monotonic clock does not follow the wall clock when that jumps', async () => {
  const before = monotonicMs();
  vi.setSystemTime(new Date('2040-01-01T00:00:00Z'));
  await pass(250);
  expect(monotonicMs() - before).toBe(250);
  expect(wallClockIso()).toBe('2040-01-01T00:00:00.250Z');
  expect(wallClockMs()).toBe(Date.parse(wallClockIso()));
});

test('a timer runs once, and not after it was cancelled, however often', async () => {
  const run = vi.fn<() => void>();
  const timer = after(10, run);
  await pass(10);
  timer.cancel();
  timer.cancel();
  after(10, run).cancel();
  await pass(100);
  expect(run).toHaveBeenCalledOnce();
});

test('a delay that is too long or negative is clamped, not fired at once by overflow', async () => {
  const run = vi.fn<() => void>();
  after(MAX_DELAY_MS + 1_000, run);
  await pass(1_000_000);
  expect(run).not.toHaveBeenCalled();
  after(-5, run);
  await pass(1);
  expect(run).toHaveBeenCalledOnce();
});

test('a period begins with a whole one', async () => {
  const run = vi.fn<() => void>();
  const timer = every(100, run);
  await pass(99);
  expect(run).not.toHaveBeenCalled();
  await pass(201);
  expect(run).toHaveBeenCalledTimes(3);
  timer.cancel();
  await pass(1_000);
  expect(run).toHaveBeenCalledTimes(3);
});

test('timers do not keep the process alive unless they are asked to', () => {
  vi.useRealTimers();
  const timeouts = vi.spyOn(globalThis, 'setTimeout');
  const timers = [after(10_000, () => {}), after(10_000, () => {}, { keepAlive: true })];
  const handles = timeouts.mock.settledResults.map(({ value }) => value);
  expect(handles.map((handle) => handle?.hasRef())).toEqual([false, true]);
  for (const timer of timers) timer.cancel();
});

test('a sleep ends with its time, or at once with the reason of its signal, and leaves no timer', async () => {
  const abort = new AbortController();
  const [whole, cut] = [sleep(100), sleep(100, abort.signal)];
  await pass(50);
  abort.abort(new Error('enough'));
  await expect(cut).rejects.toThrow('enough');
  expect(vi.getTimerCount()).toBe(1);
  await pass(50);
  await expect(whole).resolves.toBeUndefined();
  await expect(sleep(100, abort.signal)).rejects.toThrow('enough');
  expect(vi.getTimerCount()).toBe(0);
});

test('a deadline bounds the wait, not the work; a rejection in time rejects the wait', async () => {
  const work = sleep(100).then(() => 'done');
  const wait = withinDeadline(work, 50);
  await pass(50);
  expect(await wait).toEqual({ timedOut: true });
  const longer = withinDeadline(work, 1_000);
  await pass(50);
  expect(await longer).toEqual({ timedOut: false, value: 'done' });
  await expect(withinDeadline(Promise.reject(new Error('broken')), 50)).rejects.toThrow('broken');
  expect(vi.getTimerCount()).toBe(0);
});

test('a wait that is aborted leaves the work alone, and its later rejection is nobody’s', async () => {
  const abort = new AbortController();
  const work = sleep(100).then(() => Promise.reject(new Error('late')));
  const wait = unlessAborted(work, abort.signal);
  abort.abort(new Error('left'));
  await expect(wait).rejects.toThrow('left');
  await pass(100);
  await expect(unlessAborted(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
  await expect(unlessAborted(Promise.resolve(1), undefined)).resolves.toBe(1);
});
