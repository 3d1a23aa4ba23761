import type { EventQuery } from '../contracts/session-store.ts';
import { KEEP_REQUESTS_MS } from '../contracts/session-store.ts';

/** The numbers of the records that there are, both included. None where `first` is beyond `last`. */
export interface NumberRange {
  readonly first: number;
  readonly last: number;
}

/** The time of the record of a number; undefined when it has gone meanwhile. */
type TimeOf = (number: number) => Promise<string | undefined>;

/**
 * The part of a range that a query's cursor and its times leave. Times are looked for by halving: numbers have no gaps, and
 * times rise with them, so it takes a few reads by key and no index of its own.
 */
export async function narrowed(
  { first, last }: NumberRange,
  { order, beyond, from, to }: EventQuery,
  timeOf: TimeOf,
): Promise<NumberRange> {
  let range = { first, last };
  if (beyond !== undefined) {
    range =
      order === 'asc'
        ? { first: Math.max(first, beyond + 1), last }
        : { first, last: Math.min(last, beyond - 1) };
  }
  if (from !== undefined)
    range = { ...range, first: await firstWhere(range, timeOf, (at) => at >= from) };
  if (to !== undefined)
    range = { ...range, last: (await firstWhere(range, timeOf, (at) => at > to)) - 1 };
  return range;
}

/** The first number of a range whose time passes, where all behind it do too; the one behind the range when none does. */
async function firstWhere(
  { first, last }: NumberRange,
  timeOf: TimeOf,
  passes: (at: string) => boolean,
): Promise<number> {
  let low = first;
  let high = last + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const at = await timeOf(middle);
    // What has gone is older than everything that is there.
    if (at !== undefined && passes(at)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** How many of the sizes, in order, fit into so many bytes; the first always does. */
export function countWithin(sizes: readonly number[], maxBytes: number): number {
  let total = 0;
  const beyond = sizes.findIndex((bytes, index) => {
    total += bytes;
    return index > 0 && total > maxBytes;
  });
  return beyond < 0 ? sizes.length : beyond;
}

/** Marks of requests from before this moment are forgotten at `now`. */
export function forgottenBefore(now: string): string {
  return new Date(Date.parse(now) - KEEP_REQUESTS_MS).toISOString();
}
