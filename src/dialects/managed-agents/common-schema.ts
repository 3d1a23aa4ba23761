import { z } from 'zod';
import { RoundhouseError } from '../../errors.ts';

/** What agents and environments have in common. Lengths are in UTF-16 code units, as JavaScript counts them. */

const MAX_METADATA_PAIRS = 16;

export const name = z.string().min(1).max(256);

const metadataKey = z.string().min(1).max(64);
const metadataValue = z.string().max(512);

export const metadata = z.record(metadataKey, metadataValue);

/** A moment in an answer. */
export const time = z.iso.datetime();

/** A page of a listing, as the SDK's `PageCursor` reads it. */
export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({
    data: z.array(item),
    next_page: z.string().nullable().describe('The `page` of the next one; null at the end.'),
  });
}

/** A patch of metadata: null deletes. */
export const metadataPatch = z.record(metadataKey, metadataValue.nullable());

/** Throws `invalid_request` for metadata, new or patched, with more pairs than can be kept. */
export function checkMetadata(pairs: object): void {
  const count = Object.keys(pairs).length;
  if (count <= MAX_METADATA_PAIRS) return;
  throw new RoundhouseError(
    'invalid_request',
    `metadata: expected at most ${MAX_METADATA_PAIRS} pairs, got ${count}; remove some`,
  );
}

/** `current` with a patch laid over it, where `deletes` tells which values delete. */
export function patched<T>(
  current: Readonly<Record<string, T>>,
  patch: Readonly<Record<string, T | null>> | null | undefined,
  deletes: (value: T) => boolean = () => false,
): Record<string, T> {
  const result = new Map(Object.entries(current));
  for (const [key, value] of Object.entries(patch ?? {})) {
    if (value === null || deletes(value)) result.delete(key);
    else result.set(key, value);
  }
  return Object.fromEntries(result);
}

/** Complains about the second of two items with the same value in a field, at that field. */
export function distinct<Field extends string>(
  items: readonly Readonly<Record<Field, string>>[],
  field: Field,
  at: readonly PropertyKey[],
  context: z.RefinementCtx,
): void {
  const seen = new Set<string>();
  for (const [index, { [field]: value }] of items.entries()) {
    // It is named here too: where it was left out, what it then is stands nowhere in the body.
    const message = `expected a different one for each entry (${JSON.stringify(value)} stands there twice)`;
    if (seen.has(value)) context.addIssue({ code: 'custom', path: [...at, index, field], message });
    seen.add(value);
  }
}
