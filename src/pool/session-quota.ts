import { RoundhouseError } from '../errors.ts';
import type { SessionStore } from '../contracts/session-store.ts';

export interface SessionQuotaParts {
  readonly store: Pick<SessionStore, 'countSessions'>;
  /** Named sessions that a key may have; undefined where it has no limit. */
  readonly maxSessionsOf: (tenant: string) => number | undefined;
}

interface Count {
  sessions: number;
}

/**
 * How many named sessions each key with a limit has. They are counted in the store once, when the first is made or deleted,
 * and by this host from then on, which is the only one that makes and deletes them; so the limit costs the same however
 * many there are, and two calls at the same time can't both have the last one.
 */
export class SessionQuota {
  readonly #parts: SessionQuotaParts;
  /** Nothing is made or deleted before its count is there: the one can't miss the other. */
  readonly #counts = new Map<string, Promise<Count>>();

  constructor(parts: SessionQuotaParts) {
    this.#parts = parts;
  }

  /** Notes one more, and resolves with how to take that back. Rejects with `session_limit_reached`, or `storage_failed`. */
  async admit(tenant: string): Promise<() => void> {
    if (!this.#isLimited(tenant)) return () => {};
    const count = await this.#countOf(tenant);
    const refusal = this.#refusal(tenant, count);
    if (refusal !== undefined) throw refusal;
    count.sessions += 1;
    return () => {
      count.sessions -= 1;
    };
  }

  /** What {@link SessionQuota.admit} would reject with now; undefined when it would not. */
  async refusal(tenant: string): Promise<RoundhouseError | undefined> {
    return this.#isLimited(tenant) ? this.#refusal(tenant, await this.#countOf(tenant)) : undefined;
  }

  /** Call before one is deleted, and what it resolves with when that is done. */
  async deleting(tenant: string): Promise<() => void> {
    if (!this.#isLimited(tenant)) return () => {};
    const count = await this.#countOf(tenant);
    return () => {
      count.sessions -= 1;
    };
  }

  #isLimited(tenant: string): boolean {
    return this.#parts.maxSessionsOf(tenant) !== undefined;
  }

  #refusal(tenant: string, { sessions }: Count): RoundhouseError | undefined {
    const most = this.#parts.maxSessionsOf(tenant) ?? Infinity;
    if (sessions < most) return undefined;
    return new RoundhouseError(
      'session_limit_reached',
      `This key has ${sessions} sessions and may have ${most}; no further one was made. Delete one that is not needed any more (DELETE /sessions/{id}), or raise maxSessions of the key.`,
    );
  }

  #countOf(tenant: string): Promise<Count> {
    const known = this.#counts.get(tenant);
    if (known !== undefined) return known;
    const counting = this.#parts.store.countSessions(tenant).then((sessions) => ({ sessions }));
    this.#counts.set(tenant, counting);
    // What the store could not tell now it may tell the next one.
    counting.catch(() => this.#counts.delete(tenant));
    return counting;
  }
}
