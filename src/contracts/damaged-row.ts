import { errorText, RoundhouseError } from '../errors.ts';

/** The error for what a store holds and can't read: damaged, or changed from outside. `what` names it, `session sesn_…`. */
export function damagedRow(what: string, cause: unknown): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    `The ${what} is damaged in the store and can't be read (${errorText(cause)}). Restore a backup; everything else is served without it.`,
    { cause, fields: { damaged: what } },
  );
}

/** What a {@link damagedRow} names; undefined for any other error, as that of a store that fails as a whole. */
export function damageOf(error: unknown): string | undefined {
  if (!(error instanceof RoundhouseError)) return undefined;
  const { damaged } = error.fields;
  return typeof damaged === 'string' ? damaged : undefined;
}
