import { expect, it } from 'vitest';

import { descendants, parsePs } from './portable-host.ts';

const LIST = `    1     0 Ss   Sun Nov 22 06:00:00 2026
  100     1 S    Sun Nov 22 06:01:00 2026
  101   100 S+   Sun Nov 22 06:02:00 2026
  102   101 R    Sun Nov 22 06:03:00 2026
  103   100 Z    Sun Nov 22 06:03:00 2026
  200     1 S    Sun Nov 22 06:04:00 2026
`;

it('reads pid, parent and start time, and leaves dead processes out', () => {
  const entries = parsePs(LIST);
  expect(entries.map(({ pid }) => pid)).toEqual([1, 100, 101, 102, 200]);
  expect(entries[2]).toEqual({ pid: 101, parent: 100, startedAt: 'Sun Nov 22 06:02:00 2026' });
});

it('finds a process of ours with everything below it', () => {
  const found = descendants(parsePs(LIST), [
    { pid: 100, startedAt: 'Sun Nov 22 06:01:00 2026', clientId: 'clnt_1' },
  ]);
  expect(found.map(({ pid }) => pid).toSorted((a, b) => a - b)).toEqual([100, 101, 102]);
  expect(found.every(({ clientId }) => clientId === 'clnt_1')).toBe(true);
});

it('does not take a stranger for ours that has got the pid of a process of ours', () => {
  const found = descendants(parsePs(LIST), [
    { pid: 200, startedAt: 'Sat Nov 21 00:00:00 2026', clientId: 'clnt_1' },
  ]);
  expect(found).toEqual([]);
});
