import { expect, test } from 'vitest';
import { activityOf } from './session-view.ts';

test.each([
  [null, 'idle'],
  ['queued', 'running'],
  ['starting', 'running'],
  ['awaiting-first-message', 'running'],
  ['awaiting-first-token', 'running'],
  ['streaming', 'running'],
  ['tool', 'running'],
  ['awaiting-client', 'idle'],
  ['retrying', 'rescheduling'],
  ['ended', 'idle'],
] as const)('a session whose turn is %s is %s', (phase, status) => {
  expect(activityOf(phase)).toBe(status);
});
