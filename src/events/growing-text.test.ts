import { array, assert, property, string } from 'fast-check';
import { expect, test } from 'vitest';
import { GrowingText } from './growing-text.ts';

test('a text is what its pieces are, one behind the other, whenever it is looked at', () => {
  const pieces = array(string({ maxLength: 3, unit: 'binary' }), { maxLength: 100 });
  assert(
    property(pieces, pieces, (first, second) => {
      const text = new GrowingText();
      for (const piece of first) text.add(piece);
      expect(text.toString()).toBe(first.join(''));
      for (const piece of second) text.add(piece);
      expect(text.toString()).toBe([...first, ...second].join(''));
      expect(text.length).toBe(text.toString().length);
    }),
    { numRuns: 50 },
  );
});
