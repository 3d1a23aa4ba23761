import { expect, it } from 'vitest';

import { RoundhouseError } from '../errors.ts';
import { failureText } from './failure.ts';

const AT = { host: '127.0.0.1', port: 8787 };

function listen(code: string): Error {
  return Object.assign(new Error(code), { code, syscall: 'listen' });
}

it('says in one sentence that a port is in use, also behind an error of ours', () => {
  const busy = Object.assign(new Error('listen EADDRINUSE'), {
    code: 'EADDRINUSE',
    syscall: 'listen',
  });
  const wrapped = new RoundhouseError('internal', 'It failed.', { cause: busy });
  for (const error of [busy, wrapped]) {
    expect(failureText(error, AT)).toMatch(/^Port 8787 of 127\.0\.0\.1 is in use: .* --port/);
  }
});

it('tells of an address that is not here and of a port that is not allowed', () => {
  expect(failureText(listen('EADDRNOTAVAIL'), AT)).toContain('--host');
  expect(failureText(listen('EACCES'), AT)).toContain('1023');
});

it('shows our own messages as they are, and of others the first line only', () => {
  const file = Object.assign(new Error('open /x'), { code: 'EACCES', syscall: 'open' });
  const ours = new RoundhouseError('storage_failed', "The folder /x can't be written.", {
    cause: file,
  });
  expect(failureText(ours, AT)).toBe("The folder /x can't be written.");
  expect(failureText(new Error('first\n  at stack'))).toBe('It failed: first');
});
