import type { EventBounds, SessionStore } from '../contracts/session-store.ts';
import { errorText } from '../errors.ts';
import type { SessionClient } from '../session/session-client.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { wallClockMs } from '../time/clock.ts';
import { every, sleep } from '../time/timers.ts';
import type { PoolOptions } from './options.ts';

/** Sessions of one look: those in memory that have grown, and as many again of all that the store knows. */
const SESSIONS_PER_LOOK = 50;
/** Records that one look removes at most. */
const RECORDS_PER_LOOK = 5_000;
/** Records of one transaction: a database that works in this thread holds everything up for that long. */
const RECORDS_PER_CALL = 500;

export interface RetentionParts {
  readonly store: Pick<SessionStore, 'listSessions' | 'trimEvents'>;
  readonly clients: () => readonly SessionClient[];
  readonly retention: PoolOptions['retention'];
  readonly cleanupIntervalMs: number;
  readonly telemetry: Telemetry;
}

/**
 * Removes events that are beyond `pool.retention`, a bounded amount at a time, with pauses for everything else in between.
 * Every session has its turn: those in memory when they have grown, all of them by walking the store.
 */
export class Retention {
  readonly #parts: RetentionParts;
  readonly #stopTimer: () => void;
  /** The last number of a session in memory when it was looked at. */
  readonly #lookedAt = new WeakMap<SessionClient, number>();
  #walk: string | undefined;
  #look: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: RetentionParts) {
    this.#parts = parts;
    const bounded = Object.values(parts.retention).some((bound) => bound !== undefined);
    const timer = bounded
      ? every(parts.cleanupIntervalMs, () => {
          this.#look ??= this.#lookOver().finally(() => {
            this.#look = undefined;
          });
        })
      : undefined;
    this.#stopTimer = () => timer?.cancel();
  }

  /** Ends the work. Settles when the store is not used any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopTimer();
    await this.#look;
  }

  async #lookOver(): Promise<void> {
    const { store, telemetry } = this.#parts;
    try {
      const grown = this.#grown();
      const ids = new Set(grown.map(({ id }) => id));
      const page = await store.listSessions({
        limit: SESSIONS_PER_LOOK,
        ...(this.#walk !== undefined && { after: this.#walk }),
      });
      for (const { id } of page.sessions) ids.add(id);
      let budget = RECORDS_PER_LOOK;
      for (const id of ids) budget -= await this.#trim(id, budget);
      // With the budget used up something is left: the same again.
      if (budget <= 0) return;
      this.#walk = page.next ?? undefined;
      for (const { client, lastNumber } of grown) this.#lookedAt.set(client, lastNumber);
    } catch (error) {
      telemetry.log.warn('session_retention_failed', { error: errorText(error) });
    }
  }

  /** Sessions in memory with records that no look has seen. */
  #grown() {
    return this.#parts
      .clients()
      .filter((client) => this.#lookedAt.get(client) !== client.lastNumber)
      .slice(0, SESSIONS_PER_LOOK)
      .map((client) => ({ client, id: client.id, lastNumber: client.lastNumber }));
  }

  /** Trims a session, `budget` records at most. Resolves with how many went. */
  async #trim(id: string, budget: number): Promise<number> {
    const { store, telemetry } = this.#parts;
    const bounds = this.#bounds();
    let removed = 0;
    for (let more = true; more && removed < budget && !this.#stopped;) {
      const trimmed = await store.trimEvents(
        id,
        bounds,
        Math.min(RECORDS_PER_CALL, budget - removed),
      );
      removed += trimmed.removed;
      ({ more } = trimmed);
      // The store may answer without ever leaving this turn of the event loop.
      await sleep(0, undefined, { keepAlive: true });
    }
    if (removed > 0) telemetry.log.debug?.('session_events_trimmed', { id, removed });
    return removed;
  }

  #bounds(): EventBounds {
    const { maxEvents, maxBytes, maxAgeMs } = this.#parts.retention;
    return {
      maxEvents,
      maxBytes,
      ...(maxAgeMs !== undefined && {
        notBefore: new Date(wallClockMs() - maxAgeMs).toISOString(),
      }),
    };
  }
}
