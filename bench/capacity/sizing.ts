/** What a machine, or a part of one, has for a server and its agent processes. All in bytes. */
export interface Room {
  /** What is available before the server starts: `MemAvailable`, or what is left under the cgroup's limit. */
  readonly availableBytes: number;
  /** What must stay free: below `pool.minFreeBytes` the server takes processes away. */
  readonly reserveBytes: number;
  /** What the server itself holds. */
  readonly hostBytes: number;
  /** What all agent processes share: above all the pages of their executable, once. */
  readonly sharedBytes: number;
}

/** The formula of docs/benchmarks.md, in words. */
export const FORMULA =
  'processes = floor((available - reserve - host - shared) / own bytes of a process after its turns)';

/** How many agent processes of a measured size fit; never less than 0. Throws a `RangeError` for a size that is none. */
export function processesThatFit(room: Room, bytesPerProcess: number): number {
  if (!(bytesPerProcess > 0)) {
    throw new RangeError(`A process holds more than 0 bytes, got ${bytesPerProcess}.`);
  }
  const { availableBytes, reserveBytes, hostBytes, sharedBytes } = room;
  const forProcesses = availableBytes - reserveBytes - hostBytes - sharedBytes;
  return Math.max(0, Math.floor(forProcesses / bytesPerProcess));
}

/** What a server with so many processes of that size holds, in bytes: the formula the other way round. */
export function predictedBytes(
  processes: number,
  { hostBytes, sharedBytes }: Pick<Room, 'hostBytes' | 'sharedBytes'>,
  bytesPerProcess: number,
): number {
  return hostBytes + sharedBytes + processes * bytesPerProcess;
}

/** How far a prediction is off, in per cent of what was measured; more than 0 when it said too much. */
export function errorPercent(predicted: number, measured: number): number {
  if (!(measured > 0)) throw new RangeError(`Something must have been measured, got ${measured}.`);
  return ((predicted - measured) / measured) * 100;
}

/** What one of `count` things holds, when so many made the whole grow from `before` to `after`. May come out below 0. */
export function shareOf(before: number, after: number, count: number): number {
  if (!(count > 0)) throw new RangeError(`A share is of more than 0 things, got ${count}.`);
  return (after - before) / count;
}
