import { describe, expect, it } from 'vitest';
import { isCommitId, isGitRef } from './git-ref.ts';

const SHA = '2d45197b5a9d2fa8b35781dcb20533e4600ccfc9';

describe('a ref', () => {
  it.each(['main', 'feature/x-1', 'v1.2.3', 'ä', 'a@b', 'refs/heads/main', '#1', "it's;$(x)", SHA])(
    'can be %s',
    (ref) => {
      expect(isGitRef(ref)).toBe(true);
    },
  );

  it.each([
    '',
    '@',
    '-b',
    '--upload-pack=touch /tmp/x',
    '/a',
    'a/',
    'a//b',
    '.a',
    'a/.b',
    'a..b',
    'a.',
    'a.lock',
    'a.lock/b',
    'a b',
    'a\nb',
    'a\0',
    'a\u{7f}',
    'a~1',
    'a^{tree}',
    'a:b',
    'a?',
    'a*',
    'a[b',
    'a\\b',
    'a@{1}',
    '\ud800',
    'a'.repeat(256),
  ])('can not be %j', (ref) => {
    expect(isGitRef(ref)).toBe(false);
  });
});

describe('a commit', () => {
  it('is named by its full id only', () => {
    expect(isCommitId(SHA)).toBe(true);
    expect(isCommitId('a'.repeat(64))).toBe(true);
    for (const ref of [SHA.slice(1), SHA.toUpperCase(), `${SHA}a`, 'main'])
      expect(isCommitId(ref)).toBe(false);
  });
});
