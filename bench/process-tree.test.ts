import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

import { childrenOf, pssBytes, treeBytes } from './process-tree.ts';

test('the proportional share is read from its own line, in bytes', () => {
  const rollup = 'Rss:  9000 kB\nSwapPss: 7 kB\nPss:   427 kB\nPss_Dirty:  12 kB\n';
  expect(pssBytes(rollup)).toBe(427 * 1024);
  expect(pssBytes('')).toBe(0);
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
      const own = pssBytes(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
      const belowIt = await treeBytes(below);
      expect(belowIt).toBeGreaterThan(0);
      // Shares move a little between two readings, whenever a process that maps the same pages comes or goes.
      expect(await treeBytes(pid)).toBeGreaterThan(own + belowIt / 2);
    } finally {
      process.kill(-pid, 'SIGKILL');
    }
    await once(shell, 'exit');
    expect(await treeBytes(pid)).toBe(0);
  },
);
