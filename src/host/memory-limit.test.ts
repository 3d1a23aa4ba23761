import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, it } from 'vitest';

import { readLinuxMemoryLimit } from './memory-limit.ts';

const roots: string[] = [];

async function machine(files: Record<string, string>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'roundhouse-memory-'));
  roots.push(root);
  const all = { 'proc/meminfo': 'MemTotal:       1000 kB\nMemFree: 1 kB\n', ...files };
  for (const [name, text] of Object.entries(all)) {
    await mkdir(dirname(join(root, name)), { recursive: true });
    await writeFile(join(root, name), text);
  }
  return root;
}

afterEach(async () => {
  for (const root of roots.splice(0)) await rm(root, { recursive: true });
});

it("is the machine's memory where no cgroup limits it", async () => {
  const root = await machine({
    'proc/self/cgroup': '0::/app\n',
    'sys/fs/cgroup/app/memory.max': 'max\n',
  });
  expect(await readLinuxMemoryLimit(root)).toBe(1_024_000);
});

it('is the smallest limit on the way up in cgroups of version 2', async () => {
  const root = await machine({
    'proc/self/cgroup': '0::/pod/app\n',
    'sys/fs/cgroup/pod/app/memory.max': '800000\n',
    'sys/fs/cgroup/pod/memory.max': '500000\n',
  });
  expect(await readLinuxMemoryLimit(root)).toBe(500_000);
});

it('reads the limit at the mount when the path is one that only the outside sees', async () => {
  const root = await machine({
    'proc/self/cgroup': '0::/machine/far/away\n',
    'sys/fs/cgroup/memory.max': '300000\n',
  });
  expect(await readLinuxMemoryLimit(root)).toBe(300_000);
});

it('reads the limit of version 1 and ignores its huge number for no limit', async () => {
  const files = { 'proc/self/cgroup': '5:cpu:/\n4:cpuset,memory:/app\n0::/\n' };
  const limit = 'sys/fs/cgroup/memory/app/memory.limit_in_bytes';
  expect(await readLinuxMemoryLimit(await machine({ ...files, [limit]: '400000\n' }))).toBe(
    400_000,
  );
  expect(
    await readLinuxMemoryLimit(await machine({ ...files, [limit]: '9223372036854771712\n' })),
  ).toBe(1_024_000);
});
