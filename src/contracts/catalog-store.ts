import type { AgentDefinition } from '../definitions/agent.ts';
import type { EnvironmentDefinition } from '../definitions/environment.ts';
import type { FileDefinition } from '../definitions/file.ts';
import type { Kept, KeptList, KeptPage } from '../definitions/kept.ts';
import type { SessionDefinition } from '../definitions/session.ts';

/** What is kept of each kind. Bodies are plain data: they come back as JSON would give them. */
export interface CatalogBodies {
  readonly agent: AgentDefinition;
  readonly environment: EnvironmentDefinition;
  readonly session: SessionDefinition;
  readonly file: FileDefinition;
}

export type CatalogKind = keyof CatalogBodies;

/** Kinds whose earlier versions stay readable. Of all others only the last one is kept: a replaced secret is gone. */
export const VERSIONED_KINDS = ['agent'] as const satisfies readonly CatalogKind[];

export type VersionedKind = (typeof VERSIONED_KINDS)[number];

/** Names one document. To another tenant, or as another kind, it is not there. */
export interface CatalogKey<K extends CatalogKind> {
  readonly kind: K;
  /** The key's id that made it. */
  readonly tenant: string;
  /** Minted by us, unique over all kinds and tenants. */
  readonly id: string;
}

/** Which documents to list. */
export interface CatalogQuery {
  readonly tenant: string;
  /** 1 to 1000. */
  readonly limit: number;
  /** The `next`, or the `prev`, of another page of the same order. */
  readonly after?: string | undefined;
  /** By the time of creation; ids decide between equal times. Default `desc`, the newest first. */
  readonly order?: 'asc' | 'desc' | undefined;
  /** Bounds of the creation, both inclusive; RFC 3339 in UTC with milliseconds, as documents carry it. */
  readonly createdFrom?: string | undefined;
  readonly createdTo?: string | undefined;
  /** Default false. */
  readonly includeArchived?: boolean | undefined;
  /** Of sessions: made of that agent, of that version of it, in that environment. */
  readonly agentId?: string | undefined;
  readonly agentVersion?: number | undefined;
  readonly environmentId?: string | undefined;
  /** Only these ids, at most 10,000. */
  readonly among?: readonly string[] | undefined;
  /** Not these ids, at most 10,000. */
  readonly except?: readonly string[] | undefined;
}

/** A page of everybody's documents. */
export interface TenantPage<Body> {
  readonly items: readonly { readonly tenant: string; readonly document: Kept<Body> }[];
  /** Ids of documents that belong on the page and are left out, because they are damaged in the store. */
  readonly damaged: readonly string[];
  /** Stands for the next page; null when this was the last. */
  readonly next: string | null;
}

/**
 * Where the things that sessions are made of live. Every method rejects with a `RoundhouseError`: `storage_failed`, or, for
 * a limit out of bounds or a foreign cursor, `invalid_request`. What a method has resolved survives the death of the process.
 * What is damaged in the store fails the methods that name it, and is left out of lists.
 */
export interface CatalogStore {
  /** Keeps version 1. The id must be new. `at` is the wall clock. */
  create<K extends CatalogKind>(
    key: CatalogKey<K>,
    body: CatalogBodies[K],
    at: string,
  ): Promise<Kept<CatalogBodies[K]>>;
  /** The document as it is now. */
  get<K extends CatalogKind>(key: CatalogKey<K>): Promise<Kept<CatalogBodies[K]> | undefined>;
  list<K extends CatalogKind>(kind: K, query: CatalogQuery): Promise<KeptList<CatalogBodies[K]>>;
  /** The documents of all tenants, archived or not, in the order of their ids. `limit` 1 to 1000. For the server itself. */
  listAll<K extends CatalogKind>(
    kind: K,
    query: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<TenantPage<CatalogBodies[K]>>;
  /**
   * Makes the next version, in one transaction; undefined, and nothing is changed, when the document is not at
   * `expectedVersion`, is archived or is not there.
   */
  replace<K extends CatalogKind>(
    key: CatalogKey<K>,
    expectedVersion: number,
    body: CatalogBodies[K],
    at: string,
  ): Promise<Kept<CatalogBodies[K]> | undefined>;
  /** Archives the document; one that is archived keeps its time. Undefined when it is not there. */
  archive<K extends CatalogKind>(
    key: CatalogKey<K>,
    at: string,
  ): Promise<Kept<CatalogBodies[K]> | undefined>;
  /** Removes the document with all versions. False when it was not there. */
  remove(key: CatalogKey<CatalogKind>): Promise<boolean>;
  /** The document as it was at a version; whether it is archived is told as of now. */
  getVersion<K extends VersionedKind>(
    key: CatalogKey<K>,
    version: number,
  ): Promise<Kept<CatalogBodies[K]> | undefined>;
  /** Versions of a document, the newest first; none when it is not there. `limit` 1 to 1000; `after` as in {@link CatalogQuery}. */
  listVersions<K extends VersionedKind>(
    key: CatalogKey<K>,
    query: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<KeptPage<CatalogBodies[K]>>;
}
