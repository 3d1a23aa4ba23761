import { createHash } from 'node:crypto';
import type { AgentOptions } from '../contracts/agent-driver.ts';

/**
 * Options with the later ones laid over the earlier: what is omitted is inherited, what is equal changes nothing. Where
 * nothing changes, the model included, the result is `base` itself.
 */
export function mergeOptions(base: AgentOptions, later: AgentOptions = {}): AgentOptions {
  for (const key of Object.keys(later)) {
    if (!isEqual(Reflect.get(base, key), Reflect.get(later, key))) return { ...base, ...later };
  }
  return base;
}

/**
 * Canonical hash of everything that is fixed at a process's start. The model is not: it changes live. With `tenant` it is
 * that of processes which sessions may take from each other: what reaches a server or a client of a tenant is of use to
 * nobody else.
 */
export function fingerprint(options: AgentOptions, tenant?: string): string {
  const { model: _live, ...fixed } = options;
  const { clientTools = [], mcpServers = [] } = options;
  const isTenants = tenant !== undefined && clientTools.length + mcpServers.length > 0;
  const all = { ...fixed, ...(isTenants && { tenant }) };
  return createHash('sha256').update(canonicalJson(all)).digest('hex').slice(0, 16);
}

function isEqual(a: unknown, b: unknown): boolean {
  return a === b || canonicalJson(a) === canonicalJson(b);
}

/** JSON with keys sorted and undefined left out, so that equal options have equal texts. */
function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
