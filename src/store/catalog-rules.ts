import {
  VERSIONED_KINDS,
  type CatalogBodies,
  type CatalogKind,
} from '../contracts/catalog-store.ts';
import { RoundhouseError } from '../errors.ts';

/** Whether earlier versions of a document of that kind stay. */
export function keepsVersions(kind: CatalogKind): boolean {
  return VERSIONED_KINDS.some((versioned) => versioned === kind);
}

/** The agent that a document was made of, by which documents are looked for; undefined where there is none. */
export function agentOf(
  body: CatalogBodies[CatalogKind],
): { readonly id: string; readonly version: number } | undefined {
  return 'agent' in body ? body.agent : undefined;
}

/** The error for an id that was given before: only a defect of the caller can be its reason. */
export function idTaken(id: string): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    `The document ${id} exists already; an id must be minted anew for every document. This is a defect of the server; nothing was kept.`,
  );
}
