import { describe, expect, test } from 'vitest';
import { docTable } from './dialects/testing/doc-table.ts';
import { asRoundhouseError, ERROR_KINDS, errorText, RoundhouseError } from './errors.ts';

const DOC = new URL('../docs/errors.md', import.meta.url);

describe('the list of errors', () => {
  test('is the same in docs/errors.md', () => {
    const expected = Object.entries(ERROR_KINDS).map(
      ([code, { status, type, retryable, when, next }]) => [
        `\`${code}\``,
        String(status),
        `\`${type}\``,
        retryable ? 'yes' : 'no',
        when,
        next,
      ],
    );
    expect(docTable(DOC, '## The codes')).toEqual(expected);
  });

  test.each(Object.entries(ERROR_KINDS))('has a usable row for %s', (_code, row) => {
    expect(row.status).toBeGreaterThanOrEqual(400);
    expect(row.status).toBeLessThan(600);
    expect(row.type).toMatch(/^[a-z_]+$/);
    expect(row.when).toMatch(/^[A-Z].*\.$/);
    expect(row.next).toMatch(/^[A-Z].*\.$/);
  });
});

describe('a RoundhouseError', () => {
  test('knows its kind, its cause and its fields', () => {
    const cause = new Error('disk full');
    const error = new RoundhouseError('storage_failed', 'No.', {
      cause,
      retryAfterSeconds: 3,
      fields: { path: '/x' },
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'RoundhouseError',
      code: 'storage_failed',
      kind: { status: 500, type: 'api_error' },
      cause,
      retryAfterSeconds: 3,
      fields: { path: '/x' },
    });
    expect('cause' in new RoundhouseError('internal', 'x')).toBe(false);
  });

  test('is made of foreign errors without their text', () => {
    const foreign = new Error('password=1');
    const error = asRoundhouseError(foreign);
    expect(error.code).toBe('internal');
    expect(error.message).toBe(ERROR_KINDS.internal.when);
    expect(error.cause).toBe(foreign);
    expect(asRoundhouseError(error)).toBe(error);
    expect(asRoundhouseError('x', 'storage_failed').code).toBe('storage_failed');
  });
});

test('errorText gives the text of anything thrown', () => {
  expect(errorText(new Error('a'))).toBe('a');
  expect(errorText('b')).toBe('b');
});
