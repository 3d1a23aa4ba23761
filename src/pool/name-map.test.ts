import { expect, test } from 'vitest';
import { NameMap } from './name-map.ts';

test('a name is looked up within its tenant only', () => {
  const map = new NameMap<number>();
  map.set('a', 'x', 1);
  map.set('b', 'x', 2);
  map.set('a', 'x', 3);
  expect([map.get('a', 'x'), map.get('b', 'x'), map.get('b', 'y'), map.get('c', 'x')]).toEqual([
    3,
    2,
    undefined,
    undefined,
  ]);
  expect(map.size).toBe(2);
  expect([...map.values()]).toEqual([3, 2]);
});

test('what is deleted is gone, once, and only there', () => {
  const map = new NameMap<number>();
  map.set('a', 'x', 1);
  map.set('b', 'x', 2);
  map.delete('a', 'x');
  map.delete('a', 'x');
  map.delete('c', 'x');
  expect(map.size).toBe(1);
  expect([...map.values()]).toEqual([2]);
  map.set('a', 'x', 4);
  expect(map.get('a', 'x')).toBe(4);
});
