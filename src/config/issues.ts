import type { z } from 'zod';

import type { Origin } from './origin.ts';
import type { YamlSource } from './yaml-source.ts';
import { MASK, isSecretName } from '../telemetry/secret-names.ts';
import { didYouMean } from './nearest.ts';
import { GROUPS, SETTINGS } from './settings.ts';
import { getIn } from './tree.ts';

/** What the mistakes are about. */
export interface IssueContext {
  readonly origins: ReadonlyMap<string, Origin>;
  readonly file: YamlSource | undefined;
  /** The data that the schema was given. */
  readonly merged: unknown;
}

/** One line for each mistake that the schema found: where, what was expected, what was got. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  context: IssueContext,
): string[] {
  return issues.flatMap((issue) => {
    if (issue.code === 'unrecognized_keys') return unknownKeys(issue, context);
    return [`${place(issue.path, context)}: ${problem(issue, context)}`];
  });
}

function unknownKeys(issue: z.core.$ZodIssueUnrecognizedKeys, context: IssueContext): string[] {
  return issue.keys.map((key) => {
    const path = [...issue.path, key];
    return `${place(path, context)}: no such setting${suggestion(issue.path, key)}`;
  });
}

function suggestion(group: readonly PropertyKey[], key: string): string {
  const list = settingAt(group);
  if (list !== undefined) return didYouMean(key, list.itemKeys);
  const known = [...SETTINGS.map((setting) => setting.path), ...GROUPS];
  // A name of the same group is meant more often than a like one elsewhere.
  const siblings = known.filter((name) => name !== '' && parentOf(name) === group.join('.'));
  return didYouMean([...group, key].join('.'), siblings) || didYouMean(key, known.map(lastOf));
}

function parentOf(path: string): string {
  return path.split('.').slice(0, -1).join('.');
}

function lastOf(path: string): string {
  return path.split('.').at(-1) ?? path;
}

/** Where the value was given, and its path unless the name says it already. */
function place(path: readonly PropertyKey[], { origins, file }: IssueContext): string {
  const setting = settingAt(path);
  const origin = setting === undefined ? undefined : origins.get(setting.path);
  if (origin?.source === 'flag' || origin?.source === 'environment') return origin.name;
  const dotted = path.map(String).join('.');
  return file !== undefined && (setting === undefined || origin?.source === 'file')
    ? `${file.where(path)}: ${dotted}`
    : dotted;
}

function problem(issue: z.core.$ZodIssue, { merged }: IssueContext): string {
  const setting = settingAt(issue.path);
  const whole = setting?.path === issue.path.join('.');
  const got = `got ${shown(issue.path, getIn(merged, issue.path))}`;
  if (issue.code === 'custom') return issue.message;
  if (whole && setting !== undefined) return `expected ${setting.expected}, ${got}`;
  if (GROUPS.has(issue.path.join('.'))) return `expected settings by name, ${got}`;
  // Within a list: the messages of the schema's own say what is expected.
  const message = issue.message.replace(/^Invalid input: /, '').replace(/, received .*$/, '');
  return `${message.startsWith('expected') ? message : `expected ${message}`}, ${got}`;
}

function settingAt(path: readonly PropertyKey[]): (typeof SETTINGS)[number] | undefined {
  const dotted = path.map(String).join('.');
  return SETTINGS.find(
    (setting) => dotted === setting.path || dotted.startsWith(`${setting.path}.`),
  );
}

function shown(path: readonly PropertyKey[], value: unknown): string {
  if (value === undefined) return 'nothing';
  const secret = settingAt(path)?.secret === true && path.at(-1) !== 'id';
  if (secret || path.some((name) => isSecretName(String(name)))) return MASK;
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
