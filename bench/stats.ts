/**
 * Statistics of small samples. Nothing is smoothed and no outlier is dropped: what is slow is shown as p99.
 */

/** The middle value, or the mean of the two middle ones. Throws a `RangeError` for no values. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  const upper = Math.floor(sorted.length / 2);
  const high = valueAt(sorted, upper);
  return sorted.length % 2 === 1 ? high : (valueAt(sorted, upper - 1) + high) / 2;
}

/**
 * The smallest value that at least `share` (0 to 1) of all values do not exceed: always one that was measured. With fewer
 * than 100 values the 99th percentile is the greatest of them. Throws a `RangeError` for no values, or a share out of bounds.
 */
export function percentile(values: readonly number[], share: number): number {
  if (!(share >= 0 && share <= 1)) {
    throw new RangeError(`A percentile is a share of 0 to 1, got ${share}.`);
  }
  const sorted = ascending(values);
  // The product of two decimals may come out a hair above a whole number, and would then take the next value.
  const rank = Math.ceil(share * sorted.length - 1e-9);
  return valueAt(sorted, Math.max(0, rank - 1));
}

/**
 * The median of `ours[i] - base[i]`. The two of a pair were measured one right after the other, so a machine that gets
 * slower and faster meanwhile moves both. Throws a `RangeError` for lists of different lengths.
 */
export function pairedDifference(base: readonly number[], ours: readonly number[]): number {
  if (base.length !== ours.length) {
    throw new RangeError(`Pairs were expected, got ${base.length} values and ${ours.length}.`);
  }
  return median(ours.map((value, index) => value - valueAt(base, index)));
}

function ascending(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError('At least one value was expected, got none.');
  return values.toSorted((left, right) => left - right);
}

function valueAt(values: readonly number[], index: number): number {
  const value = values[index];
  if (value === undefined) throw new RangeError(`There is no value ${index}.`);
  return value;
}
