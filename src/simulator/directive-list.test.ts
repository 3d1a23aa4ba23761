import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { DIRECTIVES } from './directive-list.ts';

test('docs/simulator.md explains exactly the directives there are, with the same examples', async () => {
  const docs = await readFile(new URL('../../docs/simulator.md', import.meta.url), 'utf8');
  const section = docs.split('## Directives')[1]?.split('\n## ')[0] ?? '';
  const rows = [...section.matchAll(/^\| `([^`]+)`\s*\| `([^`]+)`\s*\|/gm)];
  expect(rows.map(([, name, example]) => ({ name, example }))).toEqual(
    DIRECTIVES.map(({ name, example }) => ({ name, example })),
  );
});
