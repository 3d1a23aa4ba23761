import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const EXAMPLES = fileURLToPath(new URL('../../examples', import.meta.url));
/** What the examples share; not run by itself. */
const SHARED = ['simulated.ts', 'start-server.ts'];
const LIMIT_MS = 60_000;

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'roundhouse-examples-'));
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

const files = await readdir(EXAMPLES);
const examples = files.filter((name) => name.endsWith('.ts') && !SHARED.includes(name));

describe('the examples', () => {
  it('are there', () => {
    expect(examples.length).toBeGreaterThanOrEqual(5);
  });

  it.each(examples)(
    '%s runs without an account, finds what it promises and leaves nothing behind',
    async (name) => {
      const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
      const { stdout } = await run(process.execPath, [join(EXAMPLES, name)], {
        env: { PATH: path, HOME: home, TMPDIR: home },
        timeout: LIMIT_MS,
      });
      expect(stdout).toContain('embedded simulator');
      expect(stdout.trimEnd().endsWith('Done.')).toBe(true);
      expect(await readdir(home)).toEqual([]);
    },
    LIMIT_MS + 5_000,
  );
});
