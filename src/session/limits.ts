import { turnLimitOverridesSchema, type TurnLimits } from '../definitions/turn-limits.ts';
import { RoundhouseError } from '../errors.ts';

/**
 * Limits as a caller gave them, without those that it left undefined; undefined when it gave none. `invalid_request` for an
 * unknown name or out of bounds.
 */
export function checkedLimits(
  limits: Partial<TurnLimits> | undefined,
): Partial<TurnLimits> | undefined {
  if (limits === undefined) return undefined;
  const given = Object.fromEntries(
    Object.entries(limits).filter(([, value]) => value !== undefined),
  );
  const result = turnLimitOverridesSchema.safeParse(given);
  if (result.success) return result.data;
  const mistakes = result.error.issues.map(({ path, message }) =>
    [...path.map(String), message].join(': '),
  );
  throw new RoundhouseError('invalid_request', `limits: ${mistakes.join('; ')}`);
}

/** Limits with the later ones laid over the earlier. Where nothing changes, the result is `base` itself. */
export function mergeLimits(
  base: Partial<TurnLimits>,
  later: Partial<TurnLimits> = {},
): Partial<TurnLimits> {
  for (const name of Object.keys(later)) {
    if (Reflect.get(base, name) !== Reflect.get(later, name)) return { ...base, ...later };
  }
  return base;
}
