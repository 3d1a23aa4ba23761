import type { EventPage, EventQuery, SessionStore } from '../contracts/session-store.ts';
import { asRoundhouseError, RoundhouseError } from '../errors.ts';
import type { LogItem } from '../events/preview.ts';
import type { SessionEvent } from '../events/record.ts';
import type { SessionPool } from '../pool/session-pool.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { IdempotencyKey, SessionInput, SubmitRequest } from '../session/session-input.ts';
import { namesFiles, type PromptFiles } from './prompt-files.ts';

/** Times that a session may leave memory while something is sent into it. Each takes another one that needs its place. */
const MAX_ATTEMPTS = 5;

export interface SessionEventsParts {
  /** Whether there is such a session: `not_found`. */
  readonly sessions: { get(tenant: string, id: string): Promise<unknown> };
  readonly pool: Pick<SessionPool, 'findClient'>;
  readonly promptFiles: Pick<PromptFiles, 'complete'>;
  readonly store: Pick<SessionStore, 'listEvents' | 'processedAt' | 'numberOfEvent'>;
}

/** Where a reader of a session begins. */
export type ReadFrom =
  /** With what happens from now on. */
  | { readonly kind: 'now' }
  /** With the record of that number, or the next that is there. */
  | { readonly kind: 'number'; readonly number: number }
  /** Behind the event of that id. */
  | { readonly kind: 'event'; readonly eventId: string };

/** A reader of a session. */
export interface EventFeed {
  /** What was there at once, none of it empty; until the signal aborts. Throws why the session is read no more. */
  readonly batches: AsyncIterable<readonly LogItem[]>;
  /** When turns were taken up, by their ids; those that wait are not among them. */
  readonly processedAt: (turnIds: readonly string[]) => Promise<ReadonlyMap<string, string>>;
}

const NONE: ReadonlyMap<string, string> = new Map();

/**
 * The events of sessions of the catalog: what is sent into them, what they keep, what happens in them. Another tenant's
 * sessions are `not_found`; every method rejects with `storage_failed` too.
 */
export class SessionEvents {
  readonly #parts: SessionEventsParts;

  constructor(parts: SessionEventsParts) {
    this.#parts = parts;
  }

  /**
   * Sends inputs into a session, all or none; see `SessionClient.submit`, and {@link PromptFiles.complete} for prompts that
   * name files. The session needs no process for it: it gets one when a prompt's turn has come. `signal` gives up the wait
   * for its place in memory.
   */
  async send(
    tenant: string,
    id: string,
    inputs: readonly SessionInput[],
    request: {
      readonly idempotency?: IdempotencyKey | undefined;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<readonly SessionEvent[]> {
    await this.#parts.sessions.get(tenant, id);
    const { idempotency, signal } = request;
    const complete = this.#completion(tenant, inputs);
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.#parts.pool.findClient(tenant, id, signal);
      try {
        return await client.submit(inputs, { idempotency, complete });
      } catch (error) {
        // It left memory meanwhile; nothing was kept.
        if (!isMoved(error) || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  /** A page of what is kept, with when its turns were taken up. */
  async list(tenant: string, id: string, query: EventQuery): Promise<EventPage> {
    await this.#parts.sessions.get(tenant, id);
    return this.#parts.store.listEvents(id, query);
  }

  /** See {@link EventFeed.processedAt}. */
  async processedAt(id: string, turnIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    return turnIds.length === 0 ? NONE : this.#parts.store.processedAt(id, turnIds);
  }

  /**
   * Reads a session from somewhere on, and goes on with what happens. It outlives the session's processes, and keeps the
   * session in memory. `invalid_request` for the id of an event that is not there.
   */
  async follow(
    tenant: string,
    id: string,
    from: ReadFrom,
    signal?: AbortSignal,
  ): Promise<EventFeed> {
    await this.#parts.sessions.get(tenant, id);
    const client = await this.#parts.pool.findClient(tenant, id, signal);
    const after = await this.#after(client, from);
    return {
      batches: client.readBatches({ after, ...(signal !== undefined && { signal }) }),
      processedAt: (turnIds) => this.processedAt(id, turnIds),
    };
  }

  /** Reads the files that inputs name, once for all attempts; undefined where they name none. */
  #completion(tenant: string, inputs: readonly SessionInput[]): SubmitRequest['complete'] {
    if (!namesFiles(inputs)) return undefined;
    let completed: Promise<readonly SessionInput[]> | undefined;
    return (all) => (completed ??= this.#parts.promptFiles.complete(tenant, 'events', all));
  }

  async #after(client: SessionClient, from: ReadFrom): Promise<number> {
    switch (from.kind) {
      case 'now':
        return client.lastNumber;
      case 'number':
        return from.number - 1;
      case 'event': {
        const number = await this.#parts.store.numberOfEvent(client.id, from.eventId);
        if (number !== undefined) return number;
        throw new RoundhouseError(
          'invalid_request',
          `Session ${client.id} has no event ${JSON.stringify(from.eventId.slice(0, 100))}, or none any more; list its events, and stream from one of them or from now on.`,
        );
      }
      default:
        return from satisfies never;
    }
  }
}

function isMoved(error: unknown): boolean {
  return asRoundhouseError(error).code === 'session_moved';
}
