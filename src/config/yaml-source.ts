import { LineCounter, isMap, isNode, isPair, isScalar, parseDocument } from 'yaml';
import type { Document } from 'yaml';

/** A configuration file, read: its data, where each value stands, and the mistakes in its form. */
export interface YamlSource {
  readonly data: unknown;
  /** `file:line:column` of the value at a path, or of its key; of the nearest parent where there is neither. */
  where(path: readonly PropertyKey[]): string;
  /** Whole sentences that begin with the place. */
  readonly mistakes: readonly string[];
}

/** Reads YAML (so JSON as well). `name` is how the file is called in places. */
export function readYaml(text: string, name: string): YamlSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const mistakes = document.errors.map(({ pos, message }) => `${place(pos[0])}: ${message}`);
  const data: unknown = mistakes.length > 0 ? {} : dataOf(document, mistakes, name);
  return { data, mistakes, where: (path) => place(offsetOf(document, path)) };
}

function dataOf(document: Document.Parsed, mistakes: string[], name: string): unknown {
  try {
    return withoutEmpty(document.toJS()) ?? {};
  } catch (error) {
    // Aliases that lead nowhere, or that would blow up, show only here.
    mistakes.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    return {};
  }
}

/** A name without a value (all below it commented out, say) counts as not set; it stays, so that a wrong one is found. */
function withoutEmpty(value: unknown): unknown {
  if (value === null) return undefined;
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, withoutEmpty(item)]),
  );
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number {
  for (let length = path.length; length > 0; length -= 1) {
    const parent = document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const key = isMap(parent)
      ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === last)
          ?.key
      : undefined;
    const value = document.getIn(path.slice(0, length), true);
    for (const node of [key, value]) {
      if (isNode(node) && node.range) return node.range[0];
    }
  }
  return 0;
}
