import { expect, test } from 'vitest';

import { EventCounter } from './event-counter.ts';

const STREAM = Buffer.from('event: a\ndata: {"text":"\\n\\n"}\n\nevent: b\ndata: 2\n\n: ping\n\n');

test('counts the events of one chunk, and no line feed inside of a text', () => {
  const counter = new EventCounter();
  counter.add(STREAM);
  expect(counter.count).toBe(3);
});

test('counts the same wherever the chunks are cut', () => {
  for (let first = 0; first <= STREAM.length; first += 1) {
    for (let second = first; second <= STREAM.length; second += 1) {
      const counter = new EventCounter();
      for (const chunk of [
        STREAM.subarray(0, first),
        STREAM.subarray(first, second),
        STREAM.subarray(second),
      ]) {
        counter.add(chunk);
      }
      expect(counter.count).toBe(3);
    }
  }
});
