import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { attachment } from './attachment.ts';

/** Any UTF-16, halves of characters included. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0xffff })), {
    maxLength: 40,
  })
  .map((units) => String.fromCharCode(...units));

test('a plain name stands there as it is', () => {
  expect(attachment('report 2.csv')).toBe(
    `attachment; filename="report 2.csv"; filename*=UTF-8''report%202.csv`,
  );
});

test('any name comes through, and nothing of it but the name', () => {
  const anyName = fc.oneof(
    anyText,
    fc.constantFrom('a"; x="b', 'a\r\nset-cookie: b', "a'b(c)*", 'ä🚂.txt', '%41', '\\"'),
  );
  fc.assert(
    fc.property(anyName, (name) => {
      const value = attachment(name);
      const parts =
        /^attachment; filename="([ !#$&-[\]-~]*)"; filename\*=UTF-8''([A-Za-z0-9!#$&+.^_`|~%-]*)$/.exec(
          value,
        );
      expect(parts).not.toBeNull();
      expect(decodeURIComponent(parts?.[2] ?? '')).toBe(name.toWellFormed());
    }),
  );
});
