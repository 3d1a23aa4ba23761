import { RoundhouseError } from '../errors.ts';
import type { SessionRow } from '../contracts/session-store.ts';

/** Sessions that one page can hold. */
export const MAX_PAGE_SESSIONS = 1000;
/** Records that one read can return. */
export const MAX_READ_RECORDS = 10_000;

/** The place of a session in a listing: newest first, ids decide between equal times. */
export interface PagePlace {
  readonly createdAt: string;
  readonly id: string;
}

/**
 * The cursor that stands for a session's place. It carries the place itself, so it keeps its meaning when that session is
 * deleted between two pages.
 */
export function toCursor(session: SessionRow): string {
  return Buffer.from(JSON.stringify([session.createdAt, session.id])).toString('base64url');
}

/** The place that a cursor stands for. `invalid_request` for anything that {@link toCursor} did not make. */
export function fromCursor(cursor: string): PagePlace {
  const place = parsed(Buffer.from(cursor, 'base64url').toString());
  if (Array.isArray(place) && place.length === 2) {
    const [createdAt, id]: unknown[] = place;
    if (typeof createdAt === 'string' && typeof id === 'string') return { createdAt, id };
  }
  throw new RoundhouseError(
    'invalid_request',
    'The page cursor is not one of this server: pass the `next` of the page before, unchanged.',
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
