/** A definition as it is kept: what was defined, and since when. */
export interface Kept<Body> {
  readonly id: string;
  /** Counts changes of the body, from 1. */
  readonly version: number;
  /** Wall clock, RFC 3339 in UTC. */
  readonly createdAt: string;
  /** When this version was made. */
  readonly updatedAt: string;
  /** Since then nothing may be changed or begun with it; null while it is in use. There is no way back. */
  readonly archivedAt: string | null;
  readonly body: Body;
}

/** One page of a listing. */
export interface KeptPage<Body> {
  readonly items: readonly Kept<Body>[];
  /** Stands for the next page; null when this was the last. */
  readonly next: string | null;
}

/** A page of a listing that can be walked both ways. */
export interface KeptList<Body> extends KeptPage<Body> {
  /** Stands for the page before; null when this was the first. */
  readonly prev: string | null;
}
