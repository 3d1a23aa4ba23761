import { z } from 'zod';
import { describeIssues } from '../dialects/issues.ts';
import { RoundhouseError } from '../errors.ts';

/** A whole number in a query or header, within bounds. */
export function wholeNumber(min: number, max: number): z.ZodType<number, string> {
  const expected = `expected a whole number from ${min} to ${max}`;
  return (
    z
      .string()
      .regex(/^\d{1,15}$/, expected)
      .transform(Number)
      .pipe(z.number().min(min, expected).max(max, expected))
      // As the document of the API shows it.
      .meta({ type: 'integer', minimum: min, maximum: max })
  );
}

/** The same, with a default that the document shows too. */
export function wholeNumberOr(
  fallback: number,
  min: number,
  max: number,
): z.ZodType<number, string | undefined> {
  // Under a name of its own: zod shows no defaults behind a transform.
  return wholeNumber(min, max).default(fallback).meta({ 'x-default': fallback });
}

/** Reads a query string by its schema, or throws `invalid_request` naming what is wrong. */
export function parseQuery<T>(schema: z.ZodType<T>, query: unknown): T {
  const parsed = schema.safeParse(query);
  if (parsed.success) return parsed.data;
  throw new RoundhouseError('invalid_request', `query: ${describeIssues(parsed.error, query)}`);
}
