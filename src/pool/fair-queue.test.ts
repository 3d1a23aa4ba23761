import { array, assert, boolean, constantFrom, property, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';

interface Item {
  readonly tenant: string;
  readonly priority: number;
  readonly name: string;
}

function item(tenant: string, name: string, priority = 0): Item {
  return { tenant, name, priority };
}

function served(queue: FairQueue<Item>, count: number): string[] {
  return Array.from({ length: count }, () => queue.next()?.name ?? '-');
}

describe('FairQueue', () => {
  test('serves one tenant in order of arrival', () => {
    const queue = new FairQueue<Item>();
    for (const name of ['a1', 'a2', 'a3']) queue.add(item('a', name));
    expect(served(queue, 4)).toEqual(['a1', 'a2', 'a3', '-']);
  });

  test('a tenant with many waiters does not keep another one waiting', () => {
    const queue = new FairQueue<Item>();
    for (let n = 1; n <= 5; n += 1) queue.add(item('many', `m${n}`));
    queue.add(item('few', 'f1'));
    queue.add(item('few', 'f2'));
    expect(served(queue, 7)).toEqual(['m1', 'f1', 'm2', 'f2', 'm3', 'm4', 'm5']);
  });

  test('a weight of two is served twice as often', () => {
    const queue = new FairQueue<Item>((tenant) => (tenant === 'heavy' ? 2 : 1));
    for (let n = 1; n <= 6; n += 1) {
      queue.add(item('heavy', 'h'));
      queue.add(item('light', 'l'));
    }
    expect(served(queue, 9).filter((name) => name === 'h')).toHaveLength(6);
  });

  test('a higher priority goes first within its tenant, and jumps no other tenant', () => {
    const queue = new FairQueue<Item>();
    queue.add(item('a', 'a-low', 0));
    queue.add(item('b', 'b', 0));
    queue.add(item('a', 'a-high', 5));
    queue.add(item('a', 'a-high-2', 5));
    expect(served(queue, 4)).toEqual(['a-high', 'b', 'a-high-2', 'a-low']);
  });

  test('a tenant that comes back after each grant can not starve one that waits', () => {
    const queue = new FairQueue<Item>();
    for (let n = 1; n <= 3; n += 1) queue.add(item('patient', 'p'));
    queue.add(item('eager', 'e'));
    const order: string[] = [];
    while (order.filter((name) => name === 'p').length < 3) {
      const next = queue.next()?.name ?? '-';
      order.push(next);
      if (next === 'e') queue.add(item('eager', 'e'));
    }
    expect(order.length).toBeLessThanOrEqual(6);
  });

  test('having been away earns nothing', () => {
    const queue = new FairQueue<Item>();
    for (let n = 1; n <= 20; n += 1) queue.add(item('here', 'h'));
    served(queue, 10);
    for (let n = 1; n <= 10; n += 1) queue.add(item('late', 'l'));
    expect(served(queue, 10).filter((name) => name === 'l').length).toBeLessThanOrEqual(6);
  });

  test('whatever is added and removed, everybody else is served exactly once', () => {
    assert(
      property(
        array(record({ tenant: constantFrom('a', 'b', 'c'), leaves: boolean() }), {
          maxLength: 40,
        }),
        (arrivals) => {
          const queue = new FairQueue<Item>();
          const items = arrivals.map(({ tenant }, index) => item(tenant, `${index}`));
          for (const one of items) queue.add(one);
          const stay = items.filter(
            (one, index) => !(arrivals[index]?.leaves === true && queue.remove(one)),
          );
          expect(queue.size).toBe(stay.length);
          expect(served(queue, stay.length).toSorted()).toEqual(
            stay.map(({ name }) => name).toSorted(),
          );
          expect(queue.next()).toBeUndefined();
        },
      ),
    );
  });
});
