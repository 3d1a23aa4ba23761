import { posix } from 'node:path';

import { ROOMS } from './layer-rules.ts';
import { scanImports, type FoundImport, type ScannedFile } from './scan-imports.ts';

/** An import, and where it leads. */
export interface ModuleImport extends FoundImport {
  /** The file, from the root of the repository; whether it exists is another matter. Undefined for packages. */
  readonly target: string | undefined;
  /** Without the subpath: `node:fs`, `@scope/name`. Undefined for files. */
  readonly packageName: string | undefined;
}

/** One source file. */
export interface Module {
  /** From the root of the repository. */
  readonly path: string;
  /** Undefined outside `src/`, and where no room is known. */
  readonly room: string | undefined;
  /** Tests, and what only tests use. */
  readonly isTest: boolean;
  readonly scanned: ScannedFile;
  readonly imports: readonly ModuleImport[];
}

/** Files that import each other at run time. */
export interface Cycle {
  readonly paths: readonly string[];
  /** The import of the first that leads to the second. */
  readonly at: { readonly path: string; readonly line: number };
}

/** All sources and what leads from one to another. */
export class ModuleGraph {
  readonly modules: ReadonlyMap<string, Module>;

  constructor(sources: ReadonlyMap<string, string>, scan: typeof scanImports = scanImports) {
    this.modules = new Map(
      [...sources].map(([path, source]) => [path, toModule(path, scan(source))]),
    );
  }

  /** What is loaded, sooner or later, by the files that `starts` names, each with the shortest way to it. */
  reachable(starts: (module: Module) => boolean): Map<string, readonly string[]> {
    const ways = new Map<string, readonly string[]>();
    for (const module of this.modules.values())
      if (starts(module)) ways.set(module.path, [module.path]);
    // a Map hands out what is added while it is walked: this goes breadth first
    for (const [path, way] of ways) {
      for (const { target } of this.#loads(path)) {
        if (target !== undefined && !ways.has(target)) ways.set(target, [...way, target]);
      }
    }
    return ways;
  }

  /** One circle for each import that closes one, told once whatever file it is entered by. */
  cycles(): Cycle[] {
    const found = new Map<string, Cycle>();
    for (const path of this.modules.keys()) {
      const cycle = this.#shortestCycle(path);
      if (cycle === undefined) continue;
      const key = cycle.paths.toSorted().join('\n');
      if (!found.has(key)) found.set(key, cycle);
    }
    return [...found.values()];
  }

  #shortestCycle(start: string): Cycle | undefined {
    const ways = new Map<string, readonly string[]>([[start, [start]]]);
    for (const [path, way] of ways) {
      for (const { target, line } of this.#loads(path)) {
        if (target === start) {
          const second = way[1] ?? start;
          const first = this.#loads(start).find((found) => found.target === second);
          return { paths: way, at: { path: start, line: first?.line ?? line } };
        }
        if (target !== undefined && !ways.has(target)) ways.set(target, [...way, target]);
      }
    }
    return undefined;
  }

  #loads(path: string): readonly ModuleImport[] {
    const imports = this.modules.get(path)?.imports ?? [];
    return imports.filter(({ kind, target }) => kind !== 'type' && target !== undefined);
  }
}

function toModule(path: string, scanned: ScannedFile): Module {
  return {
    path,
    room: roomOf(path),
    isTest: path.endsWith('.test.ts') || path.includes('/testing/'),
    scanned,
    imports: scanned.imports.map((found) => ({ ...found, ...destination(path, found) })),
  };
}

function roomOf(path: string): string | undefined {
  const fitting = Object.entries(ROOMS).filter(([, room]) =>
    room.path.endsWith('/') ? path.startsWith(room.path) : path === room.path,
  );
  return fitting.toSorted(([, a], [, b]) => b.path.length - a.path.length)[0]?.[0];
}

function destination(
  from: string,
  { specifier }: FoundImport,
): Pick<ModuleImport, 'target' | 'packageName'> {
  if (specifier === undefined) return { target: undefined, packageName: undefined };
  if (/^\.{0,2}\//.test(specifier)) {
    return { target: posix.join(posix.dirname(from), specifier), packageName: undefined };
  }
  const depth = specifier.startsWith('@') ? 2 : 1;
  return { target: undefined, packageName: specifier.split('/').slice(0, depth).join('/') };
}
