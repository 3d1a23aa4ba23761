import { isFields, type Fields } from './definition-file.ts';
import { UsageError } from '../usage-error.ts';

/** A text that the flag gives, or else the file; neither is a mistake. */
export function requiredText(
  flag: string,
  given: string | undefined,
  field: string,
  fields: Fields,
): string {
  const value = given ?? fields[field];
  if (typeof value === 'string') return value;
  throw new UsageError(
    value === undefined
      ? `Expected --${flag}, or the field ${field} in --file; got neither.`
      : `${field}: expected a text, got ${JSON.stringify(value)}.`,
  );
}

/**
 * The fields of the file with those of flags on top; what is undefined is left out. An object without known fields: spread
 * into parameters of the official client it adds what their types can't know, for the server to check.
 */
export function withFlags(fields: Fields, flags: Fields): object {
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return { ...fields, ...Object.fromEntries(given) };
}

/** `name=value` flags, on top of what the file has. Undefined where no flag was given. */
export function pairs(
  flag: string,
  given: readonly string[] | undefined,
  inFile: unknown,
): Fields | undefined {
  if (given === undefined) return undefined;
  const merged: Record<string, unknown> = isFields(inFile) ? { ...inFile } : {};
  for (const pair of given) {
    const at = pair.indexOf('=');
    if (at < 1)
      throw new UsageError(`--${flag}: expected name=value, got ${JSON.stringify(pair)}.`);
    merged[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return merged;
}
