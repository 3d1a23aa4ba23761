import {
  VERSIONED_KINDS,
  type CatalogBodies,
  type CatalogKind,
} from '../contracts/catalog-store.ts';
import { RoundhouseError } from '../errors.ts';

/** What sessions can be looked for by. */
export interface MadeOf {
  readonly agentId: string;
  readonly agentVersion: number;
  readonly environmentId: string;
}

/** Whether earlier versions of a document of that kind stay. */
export function keepsVersions(kind: CatalogKind): boolean {
  return VERSIONED_KINDS.some((versioned) => versioned === kind);
}

/** What a session was made of, by which sessions are looked for; undefined for documents of other kinds. */
export function madeOf(body: CatalogBodies[CatalogKind]): MadeOf | undefined {
  if (!('agent' in body)) return undefined;
  const { agent, environmentId } = body;
  return { agentId: agent.id, agentVersion: agent.version, environmentId };
}

/** The error for an id that was given before: only a defect of the caller can be its reason. */
export function idTaken(id: string): RoundhouseError {
  return new RoundhouseError(
    'storage_failed',
    `The document ${id} exists already; an id must be minted anew for every document. This is a defect of the server; nothing was kept.`,
  );
}
