import type { z } from 'zod';

/** Issues named in one message; a body can have thousands. */
const MAX_ISSUES = 5;
const MAX_VALUE_CHARS = 60;
/** How zod's own words begin, where a schema has none. */
const EXCLAMATION = /^Too (?:small|big): /;
const UNKNOWN_FIELDS = /^Unrecognized key/;

type Issue = z.core.$ZodIssue;

/** A body, and which of its values must not be quoted. */
interface Given {
  readonly body: unknown;
  readonly isSecret: (path: readonly PropertyKey[]) => boolean;
}

/**
 * The mistakes of `body` as one sentence each: `messages.0.content.1.source.type: expected …, got …`. `isSecret` tells by
 * its path whether a value must not be quoted.
 */
export function describeIssues(
  error: z.ZodError,
  body: unknown,
  isSecret: Given['isSecret'] = () => false,
): string {
  const sentences = error.issues.map((issue) => describe(issue, [], { body, isSecret }));
  const shown = sentences.slice(0, MAX_ISSUES);
  const rest = sentences.length - shown.length;
  return rest > 0 ? `${shown.join('; ')}; and ${rest} more` : shown.join('; ');
}

function describe(issue: Issue, prefix: readonly PropertyKey[], given: Given): string {
  const path = [...prefix, ...issue.path];
  const at = path.length === 0 ? 'body' : path.map(String).join('.');
  const got = given.isSecret(path) ? 'what is not shown here' : short(valueAt(given.body, path));
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => [...path, key].map(String).join('.'));
    if (!UNKNOWN_FIELDS.test(issue.message)) return `${names.join(', ')}: ${issue.message}`;
    return names.length === 1
      ? `${names.join()}: unknown field; remove it`
      : `${names.join(', ')}: unknown fields; remove them`;
  }
  if (issue.code === 'invalid_union') {
    const nested = deepest(issue.errors);
    if (nested !== undefined) return describe(nested, path, given);
    return `${at}: expected ${unionChoices(issue)}, got ${got}`;
  }
  if (issue.code === 'invalid_type') return `${at}: expected ${issue.expected}, got ${got}`;
  if (issue.code === 'invalid_value') return `${at}: expected ${oneOf(issue.values)}, got ${got}`;
  return `${at}: ${issue.message.replace(EXCLAMATION, '')}, got ${got}`;
}

function unionChoices(issue: z.core.$ZodIssueInvalidUnion): string {
  if ('options' in issue && Array.isArray(issue.options)) return oneOf(issue.options);
  return issue.errors
    .flat()
    .flatMap((each) => ('expected' in each ? [each.expected] : []))
    .join(' or ');
}

/** The issue that got furthest in a union: its branch is the one that was meant. */
function deepest(branches: readonly (readonly Issue[])[]): Issue | undefined {
  let best: Issue | undefined;
  for (const issue of branches.flat()) {
    const further = issue.path.length > (best?.path.length ?? 0);
    if (further || (best === undefined && issue.code === 'unrecognized_keys')) best = issue;
  }
  return best;
}

function oneOf(values: readonly unknown[]): string {
  const names = values.map((value) => JSON.stringify(value));
  return names.length === 1 ? (names[0] ?? '') : `one of ${names.join(', ')}`;
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  let value = body;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

/** What stands there, short enough for a message: never a whole prompt or image. */
function short(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object') return 'an object';
  if (typeof value !== 'string') return JSON.stringify(value) ?? typeof value;
  if (value === '') return 'an empty string';
  return value.length <= MAX_VALUE_CHARS
    ? JSON.stringify(value)
    : `a string of ${value.length} characters`;
}
