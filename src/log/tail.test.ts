import { expect, test } from 'vitest';
import { Tail, type LiveItem } from './tail.ts';
import { RoundhouseError } from '../errors.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

function item(index: number): LiveItem {
  return { turnId: 'turn_1', preview: { kind: 'block_stop', messageId: 'msg_1', index } };
}

test('items are taken together, in order, as soon as there are some', async () => {
  const tail = new Tail({ maxItems: 10, maxLagMs: 1_000, maxBytes: 1_000 });
  const first = tail.take();
  tail.offer([item(1)], 1);
  expect(await first).toEqual([item(1)]);
  tail.offer([item(2)], 1);
  tail.offer([item(3)], 1);
  expect(await tail.take()).toEqual([item(2), item(3)]);
});

test('a consumer that lets more than the bound wait is cut with reader_too_slow, and its queue dropped', async () => {
  const tail = new Tail({ maxItems: 2, maxLagMs: 1_000, maxBytes: 1_000 });
  expect([1, 2, 3, 4].map((index) => tail.offer([item(index)], 1))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  await expect(tail.take()).rejects.toMatchObject({ code: 'reader_too_slow' });
});

test('a consumer that lets one item wait too long is cut when the next arrives', async () => {
  const tail = new Tail({ maxItems: 100, maxLagMs: 1_000, maxBytes: 1_000 });
  tail.offer([item(1)], 1);
  await pass(1_000);
  expect(tail.offer([item(2)], 1)).toBe(true);
  await pass(1);
  expect(tail.offer([item(3)], 1)).toBe(false);
  await expect(tail.take()).rejects.toMatchObject({ code: 'reader_too_slow' });
});

test('the lag begins anew when the queue was taken', async () => {
  const tail = new Tail({ maxItems: 100, maxLagMs: 1_000, maxBytes: 1_000 });
  for (let second = 0; second < 5; second += 1) {
    expect(tail.offer([item(second)], 1)).toBe(true);
    await pass(900);
    await tail.take();
  }
});

test('an end lets the rest be taken first, then comes the error, or nothing', async () => {
  const broken = new Tail({ maxItems: 10, maxLagMs: 1_000, maxBytes: 1_000 });
  broken.offer([item(1)], 1);
  broken.end(new RoundhouseError('draining', 'closing'));
  broken.end();
  expect(await broken.take()).toEqual([item(1)]);
  await expect(broken.take()).rejects.toMatchObject({ code: 'draining' });
  expect(broken.offer([item(2)], 1)).toBe(false);

  const done = new Tail({ maxItems: 10, maxLagMs: 1_000, maxBytes: 1_000 });
  const waiting = done.take();
  await settle();
  done.end();
  expect(await waiting).toBeUndefined();
});

test('a consumer that lets more bytes wait than the bound is cut; what is taken counts no more', async () => {
  const tail = new Tail({ maxItems: 100, maxLagMs: 1_000, maxBytes: 1_000 });
  expect(tail.offer([item(1)], 600)).toBe(true);
  expect(tail.offer([item(2)], 400)).toBe(true);
  expect(tail.queuedBytes).toBe(1_000);
  await tail.take();
  expect(tail.queuedBytes).toBe(0);
  expect(tail.offer([item(3)], 600)).toBe(true);
  expect(tail.offer([item(4)], 401)).toBe(false);
  expect(tail.queuedBytes).toBe(0);
  await expect(tail.take()).rejects.toMatchObject({ code: 'reader_too_slow' });
});

test('one item passes, however large', async () => {
  const tail = new Tail({ maxItems: 100, maxLagMs: 1_000, maxBytes: 1_000 });
  expect(tail.offer([item(1)], 5_000)).toBe(true);
  expect(await tail.take()).toEqual([item(1)]);
});
