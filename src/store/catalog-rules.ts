import { VERSIONED_KINDS, type CatalogKind } from '../contracts/catalog-store.ts';
import { RoundhouseError } from '../errors.ts';

/** Whether earlier versions of a document of that kind stay. */
export function keepsVersions(kind: CatalogKind): boolean {
  return VERSIONED_KINDS.some((versioned) => versioned === kind);
}

/** The error for an id that was given before: only a defect of the caller can be its reason. */
export function idTaken(id: string): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    `The document ${id} exists already; an id must be minted anew for every document. This is a defect of the server; nothing was kept.`,
  );
}
