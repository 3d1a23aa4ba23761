import { RoundhouseError } from '../errors.ts';

/** What a key may use of what all share. */
export interface TenantLimits {
  /** Its share of slots, against the weights of the other keys that wait. Default 1. */
  readonly weight?: number | undefined;
  /** Turns that may run or queue at once, over all its sessions. Default: no limit of its own. */
  readonly maxTurns?: number | undefined;
  /** Named sessions that may exist, in memory or not; see `SessionQuota`. Default: no limit of its own. */
  readonly maxSessions?: number | undefined;
  /** Its callers that may wait for a slot. Default: no limit of its own. */
  readonly maxWaiters?: number | undefined;
}

/** The limits of each key, and the turns that each has under way. */
export class Tenants {
  readonly #limits: ReadonlyMap<string, TenantLimits>;
  readonly #turns = new Map<string, number>();

  constructor(limits: ReadonlyMap<string, TenantLimits> = new Map()) {
    this.#limits = limits;
  }

  weightOf(tenant: string): number {
    return this.#limits.get(tenant)?.weight ?? 1;
  }

  maxWaitersOf(tenant: string): number | undefined {
    return this.#limits.get(tenant)?.maxWaiters;
  }

  maxSessionsOf(tenant: string): number | undefined {
    return this.#limits.get(tenant)?.maxSessions;
  }

  /** Turns of the key that run or queue now. */
  turnsOf(tenant: string): number {
    return this.#turns.get(tenant) ?? 0;
  }

  /** Notes one more turn, and returns how to say that it has ended. `key_limit_reached` when there are too many. */
  admitTurn(tenant: string): () => void {
    const most = this.#limits.get(tenant)?.maxTurns;
    const now = this.turnsOf(tenant);
    if (most !== undefined && now >= most) {
      throw new RoundhouseError(
        'key_limit_reached',
        `This key has ${now} turns running or queued, which is its limit; retry when one has ended.`,
        { retryAfterSeconds: 1 },
      );
    }
    this.#turns.set(tenant, now + 1);
    let under = true;
    return () => {
      if (!under) return;
      under = false;
      const left = this.turnsOf(tenant) - 1;
      if (left > 0) this.#turns.set(tenant, left);
      else this.#turns.delete(tenant);
    };
  }
}
