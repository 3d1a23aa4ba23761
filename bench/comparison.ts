import { median, pairedDifference, percentile } from './stats.ts';

/** Units of what is measured. Rates are better when greater, times and sizes when smaller. */
export const UNITS = [
  'ms',
  'µs',
  'events/s',
  'calls/s',
  'records/s',
  'starts/s',
  'MiB',
  'KiB',
  '%',
] as const;

export type Unit = (typeof UNITS)[number];

/** Units of single happenings; a sample of any other is a whole round, or a reading, and has no p99. */
const TIMES: readonly Unit[] = ['ms', 'µs'];

/** What was measured of ours, beside what it is compared with. */
export interface Comparison {
  readonly what: string;
  readonly unit: Unit;
  /** What it is compared with, measured in the same run; absent where there is nothing to compare with. */
  readonly base?: { readonly name: string; readonly samples: readonly number[] };
  readonly ours: readonly number[];
}

/** A comparison in figures. */
export interface Row {
  readonly what: string;
  readonly unit: Unit;
  /** Samples of ours. */
  readonly n: number;
  readonly base: string | null;
  readonly baseMedian: number | null;
  readonly oursMedian: number;
  /** Ours divided by the base. */
  readonly ratio: number | null;
  /** The median of the differences of pairs, in `unit`; see `pairedDifference`. */
  readonly difference: number | null;
  readonly baseP99: number | null;
  /** Null for what is no time. */
  readonly oursP99: number | null;
}

/** Puts a comparison into figures. Samples of base and ours that are equally many count as pairs. */
export function toRow({ what, unit, base, ours }: Comparison): Row {
  const oursMedian = median(ours);
  const baseMedian = base === undefined ? null : median(base.samples);
  const isTime = TIMES.includes(unit);
  return {
    what,
    unit,
    n: ours.length,
    base: base?.name ?? null,
    baseMedian,
    oursMedian,
    ratio: baseMedian === null ? null : oursMedian / baseMedian,
    difference: base === undefined || baseMedian === null ? null : difference(base.samples, ours),
    baseP99: base === undefined || !isTime ? null : percentile(base.samples, 0.99),
    oursP99: isTime ? percentile(ours, 0.99) : null,
  };
}

function difference(base: readonly number[], ours: readonly number[]): number {
  return base.length === ours.length ? pairedDifference(base, ours) : median(ours) - median(base);
}
