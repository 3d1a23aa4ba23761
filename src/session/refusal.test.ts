import { expect, test } from 'vitest';
import { Refusal } from './refusal.ts';
import { RoundhouseError } from '../errors.ts';

const DRAINING = new RoundhouseError('draining', 'The host stops.');
const DELETED = new RoundhouseError('session_ended', 'The session was deleted.');

test('the first error counts, for good', () => {
  const refusal = new Refusal();
  expect(() => refusal.throwIfBegun()).not.toThrow();
  refusal.begin(DRAINING);
  refusal.begin(DELETED);
  expect(refusal.error).toBe(DRAINING);
  expect(() => refusal.throwIfBegun()).toThrow(DRAINING);
});

test('a session that the store does not know any more says why it ended', () => {
  const refusal = new Refusal();
  const unknown = new RoundhouseError('session_not_found', 'There is no such session.');
  expect(refusal.whyNotWritten(unknown)).toBe(unknown);
  refusal.begin(DELETED);
  expect(refusal.whyNotWritten(unknown)).toBe(DELETED);
  expect(refusal.whyNotWritten(new Error('no disk'))).toMatchObject({ code: 'storage_failed' });
});
