import { describe, expect, test } from 'vitest';

import { median, pairedDifference, percentile } from './stats.ts';

const HUNDRED = Array.from({ length: 100 }, (_, index) => 100 - index);

describe('median', () => {
  test('is the middle value, whatever the order', () => {
    expect(median([30, 1, 2])).toBe(2);
  });

  test('is the mean of the two middle values of an even number', () => {
    expect(median([4, 1, 2, 100])).toBe(3);
  });

  test('sorts numbers as numbers, and leaves the list as it was', () => {
    const values = [100, 9, 20];
    expect(median(values)).toBe(20);
    expect(values).toEqual([100, 9, 20]);
  });

  test('refuses an empty list', () => {
    expect(() => median([])).toThrow(RangeError);
  });
});

describe('percentile', () => {
  test('is a value that was measured', () => {
    expect(percentile([1, 2, 3, 4], 0.5)).toBe(2);
    expect(percentile(HUNDRED, 0.99)).toBe(99);
    expect(percentile(HUNDRED, 0.9)).toBe(90);
  });

  test('takes no value too many because of a rounding error', () => {
    // 0.07 * 100 is 7.000000000000001.
    expect(percentile(HUNDRED, 0.07)).toBe(7);
  });

  test('is the smallest value at 0 and the greatest at 1', () => {
    expect(percentile([5, 1, 3], 0)).toBe(1);
    expect(percentile([5, 1, 3], 1)).toBe(5);
  });

  test('of fewer than a hundred values the 99th is the greatest', () => {
    expect(percentile([5, 1, 3], 0.99)).toBe(5);
  });

  test('refuses an empty list and a share that is none', () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
    expect(() => percentile([1], 99)).toThrow('0 to 1');
    expect(() => percentile([1], Number.NaN)).toThrow(RangeError);
  });
});

describe('pairedDifference', () => {
  test('is not moved by a machine that gets slower in between', () => {
    expect(pairedDifference([10, 20, 400], [12, 22, 402])).toBe(2);
  });

  test('refuses lists that are no pairs', () => {
    expect(() => pairedDifference([1], [1, 2])).toThrow('Pairs were expected');
  });
});
