import { RoundhouseError } from '../errors.ts';

/** Sessions, or documents of the catalog, that one page can hold. */
export const MAX_PAGE_SESSIONS = 1000;
/** Records that one read can return. */
export const MAX_READ_RECORDS = 10_000;

const BACKWARD = 'before';

/** The place of a session or document in a listing: newest first, ids decide between equal times. */
export interface PagePlace {
  readonly createdAt: string;
  readonly id: string;
}

/** Negative when `a` stands before `b`: by the time of creation, newest first, then by id, largest first. */
export function newestFirst(a: PagePlace, b: PagePlace): number {
  if (a.createdAt !== b.createdAt) return a.createdAt > b.createdAt ? -1 : 1;
  if (a.id !== b.id) return a.id > b.id ? -1 : 1;
  return 0;
}

/**
 * The cursor that stands for a place. It carries the place itself, so it keeps its meaning when what stood there is deleted
 * between two pages.
 */
export function toCursor({ createdAt, id }: PagePlace): string {
  return Buffer.from(JSON.stringify([createdAt, id])).toString('base64url');
}

/** The place that a cursor stands for. `invalid_request` for anything that {@link toCursor} did not make. */
export function fromCursor(cursor: string): PagePlace {
  const place = parsed(Buffer.from(cursor, 'base64url').toString());
  if (Array.isArray(place) && place.length === 2) {
    const [createdAt, id]: unknown[] = place;
    if (typeof createdAt === 'string' && typeof id === 'string') return { createdAt, id };
  }
  throw foreignCursor();
}

/** Where a page begins, and which way it goes from there. */
export interface PageStart {
  readonly place: PagePlace;
  /** The page ends before the place, in the order of the listing. */
  readonly backward: boolean;
}

/** The cursor of the page that ends before a place. */
export function toBackwardCursor({ createdAt, id }: PagePlace): string {
  return Buffer.from(JSON.stringify([createdAt, id, BACKWARD])).toString('base64url');
}

/** What a cursor of a listing stands for that can be walked both ways. `invalid_request` for any other. */
export function fromEitherCursor(cursor: string): PageStart {
  const place = parsed(Buffer.from(cursor, 'base64url').toString());
  if (Array.isArray(place) && place.length === 3) {
    const [createdAt, id, way]: unknown[] = place;
    if (typeof createdAt === 'string' && typeof id === 'string' && way === BACKWARD)
      return { place: { createdAt, id }, backward: true };
  }
  return { place: fromCursor(cursor), backward: false };
}

/** The place that a version's cursor, its number, stands for. `invalid_request` for anything else. */
export function fromVersionCursor(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw foreignCursor();
}

function foreignCursor(): RoundhouseError {
  return new RoundhouseError(
    'invalid_request',
    'The page cursor is not one of this server: pass the one that came with the page before, unchanged.',
  );
}

/** Throws `invalid_request` unless `limit` is a whole number from 1 to `max`. */
export function checkLimit(limit: number, max: number): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= max) return;
  throw new RoundhouseError(
    'invalid_request',
    `limit must be a whole number from 1 to ${max}, got ${limit}.`,
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the caller reports it like every other malformed cursor.
    return undefined;
  }
}
