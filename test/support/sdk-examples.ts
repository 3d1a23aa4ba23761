import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** An example in a doc comment of the SDK. */
export interface SdkExample {
  /** What it documents: a method as clients call it (`beta.agents.create`), or an exported name. */
  readonly name: string;
  /** TypeScript, as it stands there. */
  readonly code: string;
}

const SDK = dirname(fileURLToPath(import.meta.resolve('@anthropic-ai/sdk')));

/** Where the SDK describes the Managed Agents API and what it has around it. */
const DECLARATIONS = [
  'resources/beta/{agents,environments,sessions}/**/*.d.ts',
  'resources/beta/files.d.ts',
  'lib/{environments,sessions}/**/*.d.ts',
  'lib/tools/{SessionToolRunner,ToolError,BetaRunnableTool,BetaRunnableToolset}.d.ts',
  'tools/agent-toolset/**/*.d.ts',
];

const DOC_COMMENT = /\/\*\*(?<text>[^]*?)\*\/(?<below>[^]*?)(?:[({;]|$)/g;
const CODE = /```\w*\n(?<code>[^]*?)```/g;

/** Every example that the installed SDK has for this API, in no particular order. */
export function sdkExamples(): SdkExample[] {
  return globSync(DECLARATIONS, { cwd: SDK }).flatMap((path) =>
    examplesIn(readFileSync(join(SDK, path), 'utf8'), path.replace(/\.d\.ts$/, '')),
  );
}

/** Texts of the package for people, where examples could be as well: by name. */
export function sdkTexts(): Record<string, string> {
  const paths = globSync(['*.md', 'examples/**/*'], { cwd: SDK });
  return Object.fromEntries(paths.map((path) => [path, readFileSync(join(SDK, path), 'utf8')]));
}

function examplesIn(source: string, path: string): SdkExample[] {
  return [...source.matchAll(DOC_COMMENT)].flatMap(({ groups }) => {
    const text = (groups?.['text'] ?? '').replace(/^ *\* ?/gm, '');
    const name = nameOf(groups?.['below'] ?? '', path);
    return [...text.matchAll(CODE)].map((code) => ({ name, code: code.groups?.['code'] ?? '' }));
  });
}

/** What stands below the comment: a method of a resource, an exported name, or nothing that belongs to it. */
function nameOf(below: string, path: string): string {
  const declared = /export declare (?:class|function|const) (\w+)/.exec(below)?.[1];
  if (declared !== undefined) return declared;
  const method = /^\s*(\w+)$/.exec(below)?.[1];
  return method === undefined ? path : `${resourceAt(path)}.${method}`;
}

/** `resources/beta/sessions/threads/threads` is where `beta.sessions.threads` is declared. */
function resourceAt(path: string): string {
  const parts = path.split('/').slice(1);
  return (parts.at(-1) === parts.at(-2) ? parts.slice(0, -1) : parts).join('.');
}
