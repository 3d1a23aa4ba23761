import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { childrenOf, readRollup, sumOf, treeMemory } from './process-tree.ts';

test('a process owns what it alone has mapped, and has its share of the rest', () => {
  const rollup =
    'Rss:  9000 kB\nSwapPss: 7 kB\nPss:   427 kB\nPss_Dirty:  12 kB\nPrivate_Clean: 30 kB\nPrivate_Dirty: 100 kB\n';
  expect(readRollup(rollup)).toEqual({ ownBytes: 130 * 1024, shareBytes: 427 * 1024 });
  expect(readRollup('')).toEqual({ ownBytes: 0, shareBytes: 0 });
});

test('processes hold together what each of them holds', () => {
  const one = { ownBytes: 1, shareBytes: 10 };
  const other = { ownBytes: 2, shareBytes: 20 };
  expect(sumOf([one, other])).toEqual({ ownBytes: 3, shareBytes: 30 });
});

test.skipIf(!existsSync('/proc/self/smaps_rollup'))(
  'a tree holds what its processes hold, those below included',
  async () => {
    // A shell that waits for a program of its own.
    const shell = spawn('/bin/sh', ['-c', 'echo up; sleep 60; exit'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    await once(shell.stdout, 'data');
    const pid = shell.pid ?? 0;
    try {
      expect(await childrenOf(process.pid)).toContain(pid);
      await expect.poll(() => childrenOf(pid)).toHaveLength(1);
      const [below = 0] = await childrenOf(pid);
      const own = readRollup(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')).shareBytes;
      const belowIt = (await treeMemory(below)).shareBytes;
      expect(belowIt).toBeGreaterThan(0);
      // Shares move a little between two readings, whenever a process that maps the same pages comes or goes.
      expect((await treeMemory(pid)).shareBytes).toBeGreaterThan(own + belowIt / 2);
    } finally {
      process.kill(-pid, 'SIGKILL');
    }
    await once(shell, 'exit');
    expect(await treeMemory(pid)).toEqual({ ownBytes: 0, shareBytes: 0 });
  },
);
