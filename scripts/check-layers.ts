import { pathToFileURL } from 'node:url';

import { ModuleGraph } from './module-graph.ts';
import type { Module, ModuleImport } from './module-graph.ts';
import { IMPLEMENTATIONS, PACKAGES, REACHES, ROOMS, type Reach } from './layer-rules.ts';
import { readSources } from './read-sources.ts';
import { scanImports } from './scan-imports.ts';

/** One place that breaks a rule. */
export interface Breach {
  readonly rule: string;
  readonly path: string;
  readonly line: number;
  readonly what: string;
  readonly reason: string;
  readonly advice: string;
}

/** What a rule says, apart from the place that breaks it. */
interface Rule {
  readonly reason: string;
  readonly advice: string;
}

/** Where sources are; all but `src` are held to the rules of files only. */
const FOLDERS = ['src', 'scripts', 'test', 'bench', 'chaos', 'examples'];
/** What the package exports: an example may import these, as a user would. */
const PUBLIC_FILES = ['src/index.ts', 'src/server.ts', 'src/simulator/simulator.ts'];
/** Loaded by vitest, which takes a reporter in no other form. */
const DEFAULT_EXPORTS = ['scripts/skip-reporter.ts'];
const KEBAB_CASE = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9-]+)*\.ts$/;

/** Rules that are not made from a table. */
const OTHER_RULES = {
  'known-room': {
    reason: 'What no rule knows no rule can hold.',
    advice: 'Give it a room in scripts/layer-rules.ts, with what it may import and why.',
  },
  implementations: {
    reason: 'Only src/compose.ts names implementations, so that each can be replaced in one place.',
    advice: 'Use the contract, and let src/compose.ts pass the implementation in.',
  },
  'known-package': {
    reason: 'A dependency is a decision: who uses it, and what for.',
    advice: 'Do without, or list it in scripts/layer-rules.ts with the rooms that may use it.',
  },
  'plain-import': {
    reason: 'An import that can not be read can not be checked.',
    advice: 'Name an existing file (with .ts) or a package in plain text.',
  },
  'test-code': {
    reason: 'Tests and their fixtures are not part of the program or the package.',
    advice: 'Move what the program needs out of the test code.',
  },
  'public-only': {
    reason: 'Examples show what a user of the package can do.',
    advice: `Import ${PUBLIC_FILES.join(', ')} only, or export what is missing.`,
  },
  'no-cycle': {
    reason: 'In a circle nothing can be read, tested or loaded alone.',
    advice: 'Move what both need to the left of both, or pass it in.',
  },
  'kebab-case': {
    reason: 'One spelling, on every file system.',
    advice: 'Name the file after its main export, in kebab-case.',
  },
  'no-default-export': {
    reason: 'A named export has the same name everywhere.',
    advice: 'Export it by name.',
  },
  'no-barrel': {
    reason: 'A file that only passes others on hides who uses what, and loads everything.',
    advice: 'Import the file that has it; index.ts stands at the public entry only.',
  },
} as const satisfies Record<string, Rule>;

/** Every rule by its name. A test plants a breach of each. */
export const RULES: Readonly<Record<string, Rule>> = {
  ...OTHER_RULES,
  ...REACHES,
  ...Object.fromEntries(
    Object.entries(ROOMS).map(([name, { reason, imports }]) => [
      `room:${name}`,
      {
        reason,
        advice: `It may import ${imports.join(', ') || 'nothing of ours'}: pass in what else it needs, or move what both need to the left of both.`,
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(PACKAGES).map(([name, { reason, rooms, types = [] }]) => [
      `package:${name}`,
      {
        reason,
        advice: `It is for ${[...rooms, ...types.map((room) => `${room} (types)`)].join(', ')}: go through these.`,
      },
    ]),
  ),
};

/** Checks sources, by path from the root of the repository, against all rules. `scan` may remember what it has read. */
export function checkLayers(
  sources: ReadonlyMap<string, string>,
  scan: typeof scanImports = scanImports,
): Breach[] {
  const graph = new ModuleGraph(sources, scan);
  const breaches = [...graph.modules.values()].flatMap((module) => [
    ...checkFile(module),
    ...module.imports.flatMap((found) => checkImport(graph, module, found)),
  ]);
  for (const [rule, reach] of Object.entries(REACHES))
    breaches.push(...checkReach(graph, rule, reach));
  for (const cycle of graph.cycles()) {
    breaches.push(breach('no-cycle', cycle.at, [...cycle.paths, cycle.paths[0]].join(' -> ')));
  }
  return breaches;
}

interface Place {
  readonly path: string;
  readonly line: number;
}

function breach(rule: string, { path, line }: Place, what: string): Breach {
  const { reason, advice } = RULES[rule] ?? { reason: '', advice: '' };
  return { rule, path, line, what, reason, advice };
}

function checkFile({ path, room, isTest, scanned }: Module): Breach[] {
  const breaches: Breach[] = [];
  const name = path.slice(path.lastIndexOf('/') + 1);
  const at = { path, line: 1 };
  if (!KEBAB_CASE.test(name))
    breaches.push(breach('kebab-case', at, `The file is called ${name}.`));
  if (scanned.defaultExportLine !== undefined && !DEFAULT_EXPORTS.includes(path)) {
    const place = { path, line: scanned.defaultExportLine };
    breaches.push(breach('no-default-export', place, 'There is a default export.'));
  }
  if (path !== 'src/index.ts' && (name === 'index.ts' || scanned.onlyReExports)) {
    breaches.push(breach('no-barrel', at, 'The file only passes on what others export.'));
  }
  if (path.startsWith('src/') && !isTest && room === undefined) {
    breaches.push(breach('known-room', at, 'The file belongs to no room.'));
  }
  return breaches;
}

function checkImport(graph: ModuleGraph, from: Module, found: ModuleImport): Breach[] {
  const at = { path: from.path, line: found.line };
  if (found.specifier === undefined) {
    return from.path.startsWith('src/') && !from.isTest
      ? [breach('plain-import', at, 'Something is imported by a name that is made up at run time.')]
      : [];
  }
  if (found.target === undefined) return checkPackage(from, found, at);
  const target = graph.modules.get(found.target);
  if (from.path.startsWith('examples/')) {
    const isShown = PUBLIC_FILES.includes(found.target) || found.target.startsWith('examples/');
    return isShown ? [] : [breach('public-only', at, `An example imports ${found.target}.`)];
  }
  if (from.room === undefined || from.isTest) return [];
  if (target === undefined) {
    return [breach('plain-import', at, `There is no source ${found.target}.`)];
  }
  if (target.isTest || !target.path.startsWith('src/')) {
    return [breach('test-code', at, `The program imports ${target.path}.`)];
  }
  return checkRooms(from.room, target, found, at);
}

function checkRooms(from: string, target: Module, { kind }: ModuleImport, at: Place): Breach[] {
  const to = target.room;
  if (to === undefined || to === from) return [];
  const { imports, lazily = [], types = [] } = ROOMS[from] ?? { imports: [] };
  const isIn = (list: readonly string[]): boolean =>
    list.includes(to) || list.includes(target.path);
  if (isIn(imports)) return [];
  if (kind !== 'static' && isIn(lazily)) return [];
  if (kind === 'type' && isIn(types)) return [];
  const how = isIn(lazily) ? ', at once' : isIn(types) ? ', not only its types' : '';
  const rule = isImplementation(to) && from !== 'compose' ? 'implementations' : `room:${from}`;
  return [breach(rule, at, `${from} imports ${target.path} (${to})${how}.`)];
}

function isImplementation(room: string): boolean {
  return IMPLEMENTATIONS.some((name) => name === room);
}

function checkPackage({ room, isTest }: Module, found: ModuleImport, at: Place): Breach[] {
  if (room === undefined || isTest || found.packageName === undefined) return [];
  const name = found.packageName;
  const entry = PACKAGES[name];
  if (entry === undefined) return [breach('known-package', at, `${room} imports ${name}.`)];
  const { rooms, types = [] } = entry;
  if (rooms.includes(room) || (found.kind === 'type' && types.includes(room))) return [];
  const how = types.includes(room) ? ', not only its types' : '';
  return [breach(`package:${name}`, at, `${room} imports ${name}${how}.`)];
}

/** Told once for each import that leads out, with the shortest way to it. */
function checkReach(graph: ModuleGraph, rule: string, reach: Reach): Breach[] {
  const breaches: Breach[] = [];
  const ways = graph.reachable(
    ({ room, isTest }) => !isTest && room !== undefined && reach.from.includes(room),
  );
  for (const [path, way] of ways) {
    for (const { line, kind, packageName, target } of graph.modules.get(path)?.imports ?? []) {
      if (kind === 'type') continue;
      const room = target === undefined ? undefined : graph.modules.get(target)?.room;
      const isForbidden =
        (packageName !== undefined && reach.packages.includes(packageName)) ||
        (room !== undefined && reach.rooms.includes(room));
      if (!isForbidden) continue;
      breaches.push(breach(rule, { path, line }, [...way, packageName ?? target].join(' -> ')));
    }
  }
  return breaches;
}

/** A breach as people read it. */
export function breachText({ rule, path, line, what, reason, advice }: Breach): string {
  return `${path}:${line}  ${what}\n  rule  ${rule}\n  why   ${reason}\n  do    ${advice}\n`;
}

async function main(): Promise<void> {
  const sources = await readSources(FOLDERS);
  const breaches = checkLayers(sources);
  for (const found of breaches) console.error(breachText(found));
  const rules = Object.keys(RULES).length;
  console.log(`layers: ${sources.size} files, ${rules} rules, ${breaches.length} breaches`);
  if (breaches.length > 0) process.exitCode = 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
