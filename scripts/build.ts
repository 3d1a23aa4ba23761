/** `npm run build`: `src/` as JavaScript with type declarations in `dist/`, without what an earlier build has left there. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { ROOT } from './read-sources.ts';
import { runCommand } from './run-command.ts';

const LIMIT_MS = 5 * 60_000;

await rm(join(ROOT, 'dist'), { recursive: true, force: true });
const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
const env = { PATH: process.env['PATH'] ?? '' };
const { problem } = await runCommand(tsc, ['-p', 'tsconfig.build.json'], {
  env,
  cwd: ROOT,
  limitMs: LIMIT_MS,
});
if (problem !== undefined) {
  console.error(`The build failed: tsc, ${problem}.`);
  process.exitCode = 1;
}
