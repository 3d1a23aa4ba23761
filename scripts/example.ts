/** `npm run example -- NAME`: runs one of `examples/` with the pinned Node. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { ROOT } from './read-sources.ts';

const name = process.argv[2] ?? '';
const file = join(ROOT, 'examples', `${name}.ts`);
if (/^[a-z-]+$/.test(name) && existsSync(file)) {
  await import(file);
} else {
  const files = await readdir(join(ROOT, 'examples'));
  const names = files.filter((entry) => /^(library|http)-.*\.ts$/.test(entry));
  console.error(
    `Expected one of ${names.map((entry) => entry.slice(0, -3)).join(', ')}, got ${JSON.stringify(name)}.`,
  );
  process.exitCode = 1;
}
