import { posix } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultMountPath, mountSegments } from './mount-path.ts';

/** Any UTF-16, halves of characters included. */
const anyText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0x7f }), fc.integer({ min: 0, max: 0xffff })), {
    maxLength: 40,
  })
  .map((units) => String.fromCharCode(...units));

/** Anything a client may send, and often what leads out. */
const anyPath = fc.oneof(
  anyText,
  fc
    .array(
      fc.constantFrom('/', '//', '..', '.', 'a', 'b c', '~', '\0', '\\', '.git', 'é', '...', 'mnt'),
      { maxLength: 12 },
    )
    .map((parts) => parts.join('')),
  fc
    .array(fc.constantFrom('a', '..', '.', '', 'x.csv', '..a'))
    .map((parts) => `/${parts.join('/')}`),
);

describe('a mount path', () => {
  test('never leads out of the workspace or to its top, whatever a client says', () => {
    fc.assert(
      fc.property(anyPath, (path) => {
        const segments = mountSegments(path);
        if (segments === undefined) return;
        const joined = posix.join('/ws', ...segments);
        expect(joined).toBe(`/ws/${segments.join('/')}`);
        expect(joined).toBe(`/ws${path}`);
        expect(segments.length).toBeGreaterThan(1);
        expect(joined.split('/')).not.toContain('..');
      }),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['/mnt/session/uploads/data.csv', ['mnt', 'session', 'uploads', 'data.csv']],
    ['/workspace/a b.txt', ['workspace', 'a b.txt']],
    ['/a/..b', ['a', '..b']],
    ['/a/.gitignore', ['a', '.gitignore']],
    ['/дом/🚂', ['дом', '🚂']],
  ])('%s stands below the workspace', (path, segments) => {
    expect(mountSegments(path)).toEqual(segments);
  });

  test.each([
    ['nothing', ''],
    ['the root', '/'],
    ['a relative path', 'mnt/a'],
    ['a file at the top', '/HEAD'],
    ['a way up', '/a/../b'],
    ['a way up at the end', '/a/..'],
    ['the same place', '/a/./b'],
    ['an empty name', '/a//b'],
    ['a folder', '/a/b/'],
    ['a NUL', '/a/b\0.csv'],
    ['a line break', '/a/b\n'],
    ['a backslash', '/a/..\\..\\b'],
    ['a configuration of git', '/a/.git/config'],
    ['one in other letters', '/.GIT/config'],
    ['settings of the agent', '/.claude/settings.json'],
    ['a name that is too long', `/a/${'é'.repeat(128)}`],
    ['a path that is too long', `/a/${'b/'.repeat(600)}c`],
    ['too many folders', `/${'b/'.repeat(40)}c`],
    ['half a character', '/a/\ud83d'],
  ])('is refused as %s', (_what, path) => {
    expect(mountSegments(path)).toBeUndefined();
  });

  test('by default is the one of the API', () => {
    expect(mountSegments(defaultMountPath('file_1'))).toEqual([
      'mnt',
      'session',
      'uploads',
      'file_1',
    ]);
  });
});
