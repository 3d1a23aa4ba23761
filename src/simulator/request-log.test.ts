import { expect, test } from 'vitest';
import { RequestLog } from './request-log.ts';
import { Tally } from './tally.ts';

const ENTRY = { method: 'GET', path: '/', at: 0, claudeSessionId: undefined };

test('the log keeps the last requests only, and counts all', () => {
  const log = new RequestLog(2);
  for (const path of ['/a', '/b', '/c']) log.add({ ...ENTRY, path });
  expect(log.entries().map(({ number, path }) => `${number} ${path}`)).toEqual(['2 /b', '3 /c']);
  log.clear();
  log.add(ENTRY);
  expect(log.entries()).toEqual([{ ...ENTRY, number: 1 }]);
});

test('a wait ends with a request that came, or that comes', async () => {
  const log = new RequestLog(10);
  log.add({ ...ENTRY, path: '/a' });
  await expect(log.waitFor(({ path }) => path === '/a')).resolves.toMatchObject({ number: 1 });
  const coming = log.waitFor(({ path }) => path === '/b');
  log.add({ ...ENTRY, path: '/b' });
  await expect(coming).resolves.toMatchObject({ number: 2 });
});

test("a wait ends with its signal's reason, before and during", async () => {
  const log = new RequestLog(10);
  const controller = new AbortController();
  const waiting = log.waitFor(() => true, controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
  await expect(log.waitFor(() => true, controller.signal)).rejects.toThrow('enough');
});

test('a tally forgets the key that came longest ago', () => {
  const tally = new Tally(2);
  expect([tally.next('a'), tally.next('b'), tally.next('a')]).toEqual([1, 1, 2]);
  expect([tally.next('c'), tally.next('a'), tally.next('b')]).toEqual([1, 3, 1]);
  tally.clear();
  expect(tally.next('a')).toBe(1);
});
