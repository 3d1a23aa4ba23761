import { describe, expect, it } from 'vitest';

import { readSources } from './read-sources.ts';
import { scanImports } from './scan-imports.ts';

function specifiers(source: string): (string | undefined)[] {
  return scanImports(source).imports.map(({ specifier }) => specifier);
}

describe('the reader of imports', () => {
  it.each([
    ["import a from 'x';", 'static'],
    ["import * as a from 'x';", 'static'],
    ["import a, { b as c } from 'x'", 'static'],
    ["import { type A } from 'x';", 'static'],
    ["import type from 'x';", 'static'],
    ["import 'x';", 'static'],
    ['import "x";', 'static'],
    ["import data from 'x' with { type: 'json' };", 'static'],
    ["import { 'odd name' as a } from 'x';", 'static'],
    ["import type A from 'x';", 'type'],
    ["import type { A } from 'x';", 'type'],
    ["import type * as A from 'x';", 'type'],
    ["export * from 'x';", 'static'],
    ["export * as a from 'x';", 'static'],
    ["export { a, type B } from 'x';", 'static'],
    ["export type { A } from 'x';", 'type'],
    ["export type * from 'x';", 'type'],
    ["const a = await import('x');", 'lazy'],
    ["import('x', { with: {} }).then(use);", 'lazy'],
    ["const a = require('x');", 'lazy'],
  ] as const)('reads %s', (source, kind) => {
    expect(scanImports(source).imports).toEqual([{ specifier: 'x', line: 1, kind }]);
  });

  it.each([
    "// import 'x'",
    "/* import a from 'x'; */",
    "const a = 'import x from \\'y\\'';",
    "const a = `import a from 'x'; ${b} export * from 'y'`;",
    "const a = /import 'x'/;",
    "const quote = /['\"`]/; const b = 'import';",
    'const here = import.meta.url;',
    "export const from = 'x';",
    "export type A = 'x';",
    "export { a }; const from = 'x';",
    "loader.import('x');",
    "const a = b / c; const d = 'e' / 2;",
  ])('finds nothing in %s', (source) => {
    expect(scanImports(source).imports).toEqual([]);
  });

  it('looks into what is put into a template, and after it', () => {
    expect(specifiers("const a = `x ${await import('y')} ${`${'}'}`} z`; import 'w';")).toEqual([
      'y',
      'w',
    ]);
  });

  it('tells an import that is no plain text as one without a specifier', () => {
    expect(specifiers('import(name)')).toEqual([undefined]);
    expect(specifiers('import(`./${name}.ts`)')).toEqual([undefined]);
    expect(specifiers("import('./' + name)")).toEqual([undefined]);
    expect(specifiers('require(name)')).toEqual([undefined]);
  });

  it('knows the line, over comments, templates and statements of several lines', () => {
    const source = "#!/usr/bin/env node\n/*\n*/\nconst a = `\n\n`;\nimport {\n  b,\n} from 'x';\n";
    expect(scanImports(source).imports).toMatchObject([{ specifier: 'x', line: 7 }]);
  });

  it('tells default exports', () => {
    expect(scanImports('const a = 1;\nexport default a;').defaultExportLine).toBe(2);
    expect(scanImports('export { a as default };').defaultExportLine).toBe(1);
    expect(scanImports("export { a as default } from 'x';").defaultExportLine).toBe(1);
    expect(scanImports("export { default as a } from 'x';").defaultExportLine).toBeUndefined();
  });

  it('tells a file that only passes on what others export', () => {
    expect(scanImports("export { a } from 'x';\nexport type * from 'y';").onlyReExports).toBe(true);
    expect(scanImports("export { a } from 'x';\nexport const b = 1;").onlyReExports).toBe(false);
    expect(scanImports('').onlyReExports).toBe(false);
  });

  it('misses none in the sources of this project, which the formatter has put one to a line', async () => {
    const sources = await readSources(['src', 'scripts']);
    expect(sources.size).toBeGreaterThan(100);
    for (const [path, source] of sources) {
      if (path === 'scripts/scan-imports.test.ts') continue;
      const written = source.matchAll(
        /^(?:import .*|export .*|\} )from '([^']+)';$|^import '([^']+)';$/gm,
      );
      const expected = [...written].map(([, from, bare]) => from ?? bare);
      const { imports } = scanImports(source);
      const atTop = imports.filter(({ kind }) => kind !== 'lazy').map(({ specifier }) => specifier);
      expect(atTop, path).toEqual(expected);
    }
  });
});
