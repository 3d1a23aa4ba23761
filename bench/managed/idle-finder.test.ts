import { expect, test } from 'vitest';

import { IdleFinder } from './idle-finder.ts';

const BEFORE = 'data: "event: session.status_idle"\n\n';
const STREAM = Buffer.from(`${BEFORE}event: session.status_idle\ndata: 1\n\n`);
/** Where the first line of the event is complete. */
const COMPLETE_AT = STREAM.indexOf('event: session.status_idle\n') + 27;

test('finds the event in one chunk, and not its name in a text', () => {
  expect(new IdleFinder().add(Buffer.from(BEFORE))).toBe(false);
  expect(new IdleFinder().add(STREAM)).toBe(true);
});

test('finds it once, in the chunk that completes its first line, wherever the chunks are cut', () => {
  for (let first = 0; first <= STREAM.length; first += 1) {
    for (let second = first; second <= STREAM.length; second += 1) {
      const finder = new IdleFinder();
      const cuts = [0, first, second, STREAM.length];
      const found = cuts
        .slice(1)
        .map((end, index) => finder.add(STREAM.subarray(cuts[index], end)));
      const completing = cuts.findIndex((end) => end >= COMPLETE_AT) - 1;
      expect(found).toEqual([0, 1, 2].map((index) => index === completing));
    }
  }
});
