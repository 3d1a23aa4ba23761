import { z } from 'zod';
import { RoundhouseError } from '../../errors.ts';
import { describeIssues } from '../issues.ts';
import type { FieldRule } from './fields.ts';

/** A field that is refused unless it asks for nothing: absent, null, or what `harmless` says. */
export function refusedField(rule: FieldRule, harmless: (value: unknown) => boolean = () => false) {
  return z
    .unknown()
    .refine((value) => value === undefined || value === null || harmless(value), refusal(rule))
    .optional();
}

/** What makes an issue a refusal: the message says what this host can't do. */
export function refusal({ note }: FieldRule) {
  return { error: note.replaceAll('`', ''), params: { refused: true } };
}

/** One of several forms, told by its type, that is refused whatever else it says. */
export function refusedVariant<Type extends string>(type: Type, rule: FieldRule) {
  return z
    .looseObject({ type: z.literal(type) })
    .refine(() => false, refusal(rule))
    .transform((): never => {
      throw new RoundhouseError('internal', `A ${type} was read, although it is refused.`);
    });
}

/** Whether a list asks for nothing. */
export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/**
 * A body as its schema reads it. Throws `unsupported_field` naming every field that this host can't honour, or
 * `invalid_request` with the path of each mistake, which quotes no value that `isSecret` tells of.
 */
export function parseBody<T>(
  schema: z.ZodType<T>,
  body: unknown,
  isSecret?: (path: readonly PropertyKey[]) => boolean,
): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const refused = parsed.error.issues.filter(
    (issue) => issue.code === 'custom' && issue.params?.['refused'] === true,
  );
  if (refused.length === 0) {
    throw new RoundhouseError('invalid_request', describeIssues(parsed.error, body, isSecret));
  }
  const names = refused.map(({ path, message }) => `${path.map(String).join('.')} (${message})`);
  throw new RoundhouseError(
    'unsupported_field',
    `not supported by this server: ${names.join('; ')}. Remove ${names.length === 1 ? 'it' : 'them'}`,
  );
}
