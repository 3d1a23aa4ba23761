import type { CatalogQuery } from '../contracts/catalog-store.ts';
import { fromEitherCursor, toBackwardCursor, toCursor, type PagePlace } from './paging.ts';

/** How a page of a listing is found. */
export interface ListWalk {
  /** The place where it begins; undefined at the end of the listing. */
  readonly from: PagePlace | undefined;
  /** Whether the walk goes from newer to older. */
  readonly toOlder: boolean;
  /** Whether it goes against the order of the listing. */
  readonly backward: boolean;
}

/** The walk that a query asks for. `invalid_request` for a foreign cursor. */
export function listWalk({ after, order = 'desc' }: CatalogQuery): ListWalk {
  const start = after === undefined ? undefined : fromEitherCursor(after);
  const backward = start?.backward === true;
  return { from: start?.place, backward, toOlder: (order === 'desc') !== backward };
}

/**
 * The page of a walk. `found`: what comes on it, one more than `limit` if there is more. `hasOther` tells whether something
 * stands behind a place, seen in the direction of the walk; it is asked where the walk began within the listing.
 */
export async function listPage<Item extends PagePlace>(
  found: readonly Item[],
  { from, backward }: ListWalk,
  limit: number,
  hasOther: (place: PagePlace) => boolean | Promise<boolean>,
): Promise<{ items: readonly Item[]; next: string | null; prev: string | null }> {
  const walked = found.slice(0, limit);
  const first = walked[0] ?? from;
  const last = walked.at(-1) ?? from;
  const ahead = found.length > limit ? last : undefined;
  const behind =
    from !== undefined && first !== undefined && (await hasOther(first)) ? first : undefined;
  const [before, after] = backward ? [ahead, behind] : [behind, ahead];
  return {
    items: backward ? walked.toReversed() : walked,
    next: after === undefined ? null : toCursor(after),
    prev: before === undefined ? null : toBackwardCursor(before),
  };
}
