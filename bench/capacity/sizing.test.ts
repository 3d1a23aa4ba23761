import { describe, expect, test } from 'vitest';

import { errorPercent, predictedBytes, processesThatFit, shareOf } from './sizing.ts';

const GIB = 2 ** 30;
const MIB = 2 ** 20;

describe('what a machine holds', () => {
  const room = {
    availableBytes: 4 * GIB,
    reserveBytes: 256 * MIB,
    hostBytes: 100 * MIB,
    sharedBytes: 40 * MIB,
  };

  test('is what remains after reserve and server, in whole processes', () => {
    // 4096 - 256 - 100 - 40 = 3700 MiB
    expect(processesThatFit(room, 150 * MIB)).toBe(24);
    expect(processesThatFit(room, 3700 * MIB)).toBe(1);
    expect(processesThatFit(room, 3701 * MIB)).toBe(0);
  });

  test('is nothing, and not less, where the server alone does not fit', () => {
    expect(processesThatFit({ ...room, availableBytes: 300 * MIB }, 150 * MIB)).toBe(0);
  });

  test('can not be said of processes without a size', () => {
    expect(() => processesThatFit(room, 0)).toThrow(RangeError);
    expect(() => processesThatFit(room, Number.NaN)).toThrow(RangeError);
  });

  test('as many as fit are predicted to fit, and one more is not', () => {
    const left = room.availableBytes - room.reserveBytes;
    const fit = processesThatFit(room, 150 * MIB);
    expect(predictedBytes(fit, room, 150 * MIB)).toBeLessThanOrEqual(left);
    expect(predictedBytes(fit + 1, room, 150 * MIB)).toBeGreaterThan(left);
  });
});

describe('the error of a prediction', () => {
  test('is a share of what was measured, more than 0 when it said too much', () => {
    expect(errorPercent(110, 100)).toBeCloseTo(10);
    expect(errorPercent(80, 100)).toBeCloseTo(-20);
  });

  test('needs a measurement', () => {
    expect(() => errorPercent(1, 0)).toThrow(RangeError);
  });
});

test('a share is the growth divided by the number', () => {
  expect(shareOf(100, 350, 10)).toBe(25);
  expect(() => shareOf(1, 2, 0)).toThrow(RangeError);
});
