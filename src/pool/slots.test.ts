import { expect, test, vi } from 'vitest';
import { Slots, type Slot, type SlotsParts } from './slots.ts';
import { RoundhouseError } from '../errors.ts';
import { pass, settle, useFakeClock } from '../../test/support/fake-clock.ts';

useFakeClock();

function makeSlots(parts: Partial<SlotsParts> = {}): Slots {
  return new Slots({ what: 'places', capacity: 1, maxWaiters: 10, waitMs: 1_000, ...parts });
}

/** Takes a slot and notes under `name` that it was given, or why not. */
function take(slots: Slots, name: string, seen: string[], signal?: AbortSignal): Promise<void> {
  return slots.acquire({ signal }).then(
    () => void seen.push(name),
    (error: unknown) => void seen.push(`${name}: ${codeOf(error)}`),
  );
}

function codeOf(error: unknown): string {
  return error instanceof RoundhouseError ? error.code : String(error);
}

test('slots are given at once while there are some, and count as used until they are released', async () => {
  const slots = makeSlots({ capacity: 2 });
  const first = await slots.acquire();
  await slots.acquire();
  expect(slots.used).toBe(2);
  first.release();
  expect(slots.used).toBe(1);
});

test('a slot that is released twice is given back once', async () => {
  const slots = makeSlots({ capacity: 2 });
  const slot = await slots.acquire();
  await slots.acquire();
  slot.release();
  slot.release();
  expect(slots.used).toBe(1);
});

test('waiters are served in their order, and a newcomer does not overtake them', async () => {
  const slots = makeSlots();
  const held = await slots.acquire();
  const given: Slot[] = [];
  const seen: string[] = [];
  for (const name of ['a', 'b']) {
    void slots.acquire().then((slot) => {
      seen.push(name);
      given.push(slot);
    });
  }
  held.release();
  void slots.acquire().then(() => seen.push('newcomer'));
  await settle();
  expect(seen).toEqual(['a']);
  given[0]?.release();
  await settle();
  given[1]?.release();
  await settle();
  expect(seen).toEqual(['a', 'b', 'newcomer']);
});

test('a waiter is refused with pool_at_capacity at its deadline, counted from its own call', async () => {
  const slots = makeSlots();
  await slots.acquire();
  const seen: string[] = [];
  void take(slots, 'early', seen);
  await pass(600);
  void take(slots, 'late', seen);
  await pass(400);
  expect(seen).toEqual(['early: pool_at_capacity']);
  await pass(600);
  expect(seen).toEqual(['early: pool_at_capacity', 'late: pool_at_capacity']);
  expect(slots.waiting).toBe(0);
});

test('a refusal names what is limited, the limit and the time to come back', async () => {
  const slots = makeSlots({ what: 'agent processes', capacity: 1, waitMs: 50 });
  await slots.acquire();
  const refused = slots.acquire().catch((error: unknown) => error);
  await pass(50);
  expect(await refused).toMatchObject({
    code: 'pool_at_capacity',
    message:
      'Session pool at capacity: all 1 agent processes are in use, and none became free within 50 ms. Retry later.',
    retryAfterSeconds: 1,
  });
});

test('one waiter too many is refused at once with queue_full', async () => {
  const slots = makeSlots({ maxWaiters: 1 });
  await slots.acquire();
  const seen: string[] = [];
  void take(slots, 'a', seen);
  await take(slots, 'b', seen);
  expect(seen).toEqual(['b: queue_full']);
  expect(slots.waiting).toBe(1);
});

test('a waiter that aborts leaves the queue, and those behind it move up', async () => {
  const slots = makeSlots();
  const held = await slots.acquire();
  const seen: string[] = [];
  const abort = new AbortController();
  void take(slots, 'a', seen, abort.signal);
  void take(slots, 'b', seen);
  abort.abort(new Error('left'));
  await settle();
  expect(seen).toEqual(['a: Error: left']);
  held.release();
  await settle();
  expect(seen).toEqual(['a: Error: left', 'b']);
  await pass(10_000);
  expect(seen).toHaveLength(2);
});

test('a signal that has aborted already takes nothing', async () => {
  const slots = makeSlots();
  await expect(slots.acquire({ signal: AbortSignal.abort(new Error('gone')) })).rejects.toThrow(
    'gone',
  );
  expect(slots.used).toBe(0);
});

test('for each waiter one holder is asked to give its slot back, no more', async () => {
  const reclaims: PromiseWithResolvers<void>[] = [];
  const slots = makeSlots({
    capacity: 2,
    reclaim: () => {
      const reclaim = Promise.withResolvers<void>();
      reclaims.push(reclaim);
      return reclaim.promise;
    },
  });
  const held = [await slots.acquire(), await slots.acquire()];
  const seen: string[] = [];
  void take(slots, 'a', seen);
  slots.poke();
  expect(reclaims).toHaveLength(1);
  void take(slots, 'b', seen);
  expect(reclaims).toHaveLength(2);
  held[0]?.release();
  reclaims[0]?.resolve();
  await settle();
  expect(seen).toEqual(['a']);
  expect(reclaims).toHaveLength(2);
});

test('a reclaim that brought nothing, or failed, is tried again when there is something to take', async () => {
  const outcomes = [Promise.reject(new Error('it would not go')), undefined, Promise.resolve()];
  const reclaim = vi.fn<() => Promise<void> | undefined>(() => outcomes.shift());
  const slots = makeSlots({ reclaim });
  const held = await slots.acquire();
  const seen: string[] = [];
  void take(slots, 'a', seen);
  await settle();
  expect(reclaim).toHaveBeenCalledTimes(2);
  slots.poke();
  expect(reclaim).toHaveBeenCalledTimes(3);
  held.release();
  await settle();
  expect(seen).toEqual(['a']);
});

test('a waiter for whom a slot is being freed does not count against the bound of the queue', async () => {
  const slots = makeSlots({ maxWaiters: 0, reclaim: () => new Promise<void>(() => {}) });
  await slots.acquire();
  const seen: string[] = [];
  void take(slots, 'a', seen);
  await settle();
  expect(seen).toEqual([]);
  expect(slots.waiting).toBe(1);
});

test('a slot that is given while its taker is being queued leaves no deadline behind', async () => {
  let held: Slot | undefined;
  const slots = makeSlots({
    reclaim: () => {
      held?.release();
      return Promise.resolve();
    },
  });
  held = await slots.acquire();
  await slots.acquire();
  expect(vi.getTimerCount()).toBe(0);
});

test('after a refusal nobody waits, nobody is served, and the first reason stays', async () => {
  const slots = makeSlots();
  const held = await slots.acquire();
  const seen: string[] = [];
  void take(slots, 'a', seen);
  slots.refuse(new RoundhouseError('draining', 'closing'));
  slots.refuse(new RoundhouseError('internal', 'later'));
  await take(slots, 'b', seen);
  held.release();
  await take(slots, 'c', seen);
  expect(seen).toEqual(['a: draining', 'b: draining', 'c: draining']);
  expect(vi.getTimerCount()).toBe(0);
});

test('the time of each wait is told, also of one that was in vain', async () => {
  const waited: number[] = [];
  const slots = makeSlots({ onWaited: (seconds) => waited.push(seconds) });
  const held = await slots.acquire();
  void take(slots, 'a', []);
  await pass(250);
  held.release();
  void take(slots, 'b', []);
  await pass(1_000);
  expect(waited).toEqual([0.25, 1]);
});
