import { readTokens, type Token } from './tokens.ts';

/** One import as it stands in a source text. */
export interface FoundImport {
  /** What is imported, as written; undefined when it is no plain text, so that nobody can tell. */
  readonly specifier: string | undefined;
  /** Counted from 1. */
  readonly line: number;
  /**
   * `type`: gone when the file runs. `static`: loaded with the file. `lazy`: `import('…')` and `require('…')`. With
   * `verbatimModuleSyntax` an `import { type A }` still loads the file, so it counts as static.
   */
  readonly kind: 'type' | 'static' | 'lazy';
}

/** What a file imports, and what it exports by default. */
export interface ScannedFile {
  readonly imports: readonly FoundImport[];
  readonly defaultExportLine: number | undefined;
  /** Whether the file does nothing but pass on what others export. */
  readonly onlyReExports: boolean;
}

interface Statement {
  readonly found?: FoundImport;
  readonly isDefault?: boolean;
  /** The token to go on from. */
  readonly next: number;
}

/**
 * Finds the imports of a TypeScript file. What is only written about, in comments, strings, templates and regular
 * expressions, does not count. What looks like an import and can't be read is told as one without a specifier, so that
 * nothing slips by. (TypeScript 7 has no parser that JavaScript could call.)
 */
export function scanImports(source: string): ScannedFile {
  const tokens = readTokens(source);
  const imports: FoundImport[] = [];
  let defaultExportLine: number | undefined;
  let passedOn = 0;
  let own = 0;
  for (let at = 0; at < tokens.length;) {
    const token = tokens[at];
    const statement = token === undefined ? undefined : readStatement(tokens, at, token);
    if (statement === undefined) {
      if (token?.text !== ';') own += 1;
      at += 1;
      continue;
    }
    const { found, isDefault = false, next } = statement;
    if (found !== undefined) imports.push(found);
    if (isDefault) defaultExportLine ??= token?.line;
    if (token?.text === 'export' && found !== undefined) passedOn += 1;
    else own += 1;
    at = next;
  }
  return { imports, defaultExportLine, onlyReExports: passedOn > 0 && own === 0 };
}

function readStatement(tokens: readonly Token[], at: number, token: Token): Statement | undefined {
  if (token.kind !== 'word' || textAt(tokens, at - 1) === '.') return undefined;
  const following = textAt(tokens, at + 1);
  switch (token.text) {
    case 'require':
      return following === '(' ? readCall(tokens, at, token) : undefined;
    case 'import':
      if (following === '(') return readCall(tokens, at, token);
      // `import.meta`, and a property or method of that name
      return ['.', ':', '?', '='].includes(following) ? undefined : readImport(tokens, at, token);
    case 'export':
      return following === 'default'
        ? { isDefault: true, next: at + 2 }
        : readExport(tokens, at, token);
    default:
      return undefined;
  }
}

/** `import('…')` and `require('…')`. */
function readCall(tokens: readonly Token[], at: number, { line }: Token): Statement {
  const argument = tokens[at + 2];
  const isPlain = argument?.kind === 'string' && [')', ','].includes(textAt(tokens, at + 3));
  const found = { specifier: isPlain ? argument.text : undefined, line, kind: 'lazy' } as const;
  // what stands in the brackets is read too: it may hold another call
  return { found, next: at + 2 };
}

/** `import '…'`, `import … from '…'`, `import type … from '…'`. */
function readImport(tokens: readonly Token[], at: number, { line }: Token): Statement {
  const first = tokens[at + 1];
  if (first?.kind === 'string') {
    return { found: { specifier: first.text, line, kind: 'static' }, next: at + 2 };
  }
  // `import type from '…'` imports a value that is called type
  const isType = first?.text === 'type' && !isFrom(tokens, at + 2);
  return readFrom(tokens, isType ? at + 2 : at + 1, line, isType);
}

/** `export { … } from '…'`, `export * from '…'`, the same with `type`; undefined for what is exported from here. */
function readExport(tokens: readonly Token[], at: number, { line }: Token): Statement | undefined {
  const isType = textAt(tokens, at + 1) === 'type';
  const clause = isType ? at + 2 : at + 1;
  if (textAt(tokens, clause) === '*') return readFrom(tokens, clause, line, isType);
  if (textAt(tokens, clause) !== '{') return undefined;
  const end = tokens.findIndex(
    ({ kind, text }, index) => index > clause && kind === 'sign' && text === '}',
  );
  const isDefault = tokens
    .slice(clause, end)
    .some(({ text }, index, names) => text === 'default' && names[index - 1]?.text === 'as');
  if (!isFrom(tokens, end + 1)) return { isDefault, next: end + 1 };
  return { ...readFrom(tokens, clause, line, isType), isDefault };
}

/** Reads on to the `from '…'` that ends the statement. */
function readFrom(
  tokens: readonly Token[],
  clause: number,
  line: number,
  isType: boolean,
): Statement {
  let next = clause;
  while (next < tokens.length && textAt(tokens, next) !== ';' && !isFrom(tokens, next)) next += 1;
  const specifier = isFrom(tokens, next) ? tokens[next + 1]?.text : undefined;
  return { found: { specifier, line, kind: isType ? 'type' : 'static' }, next: next + 2 };
}

function isFrom(tokens: readonly Token[], at: number): boolean {
  return textAt(tokens, at) === 'from' && tokens[at + 1]?.kind === 'string';
}

function textAt(tokens: readonly Token[], at: number): string {
  const token = tokens[at];
  return token === undefined || token.kind === 'string' ? '' : token.text;
}
