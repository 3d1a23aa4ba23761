/** Somebody who waits, on behalf of a tenant. */
export interface Waiting {
  readonly tenant: string;
  /** Higher goes first, among the waiters of the same tenant only: nobody can jump another's queue. */
  readonly priority: number;
}

/**
 * A queue that is fair between tenants: each is served in proportion to its weight while it has somebody waiting, however
 * many it has (stride scheduling: Waldspurger and Weihl, 1995). Within a tenant: by priority, then in order of arrival.
 */
export class FairQueue<T extends Waiting> {
  readonly #weightOf: (tenant: string) => number;
  /** Those who wait, by tenant, in the order in which they will be served. */
  readonly #waiting = new Map<string, T[]>();
  /** What each waiting tenant has been served, divided by its weight. */
  readonly #pass = new Map<string, number>();
  /** The pass of the tenant served last: who comes new starts from here, so that being away earns nothing. */
  #now = 0;
  #size = 0;

  constructor(weightOf: (tenant: string) => number = () => 1) {
    this.#weightOf = weightOf;
  }

  get size(): number {
    return this.#size;
  }

  sizeOf(tenant: string): number {
    return this.#waiting.get(tenant)?.length ?? 0;
  }

  add(item: T): void {
    const queue = this.#waiting.get(item.tenant) ?? [];
    const behind = queue.findLastIndex((other) => other.priority >= item.priority);
    queue.splice(behind + 1, 0, item);
    this.#waiting.set(item.tenant, queue);
    this.#pass.set(item.tenant, this.#passOf(item.tenant));
    this.#size += 1;
  }

  /** Takes one out who leaves unserved. False when it is not there. */
  remove(item: T): boolean {
    const queue = this.#waiting.get(item.tenant);
    const place = queue?.indexOf(item) ?? -1;
    if (queue === undefined || place < 0) return false;
    queue.splice(place, 1);
    this.#size -= 1;
    if (queue.length === 0) this.#rest(item.tenant);
    return true;
  }

  has(item: T): boolean {
    return this.#waiting.get(item.tenant)?.includes(item) ?? false;
  }

  /** Takes out whose turn it is. */
  next(): T | undefined {
    const tenant = this.#nextTenant();
    const item = tenant === undefined ? undefined : this.#waiting.get(tenant)?.[0];
    if (tenant === undefined || item === undefined) return undefined;
    this.#now = this.#passOf(tenant);
    this.#pass.set(tenant, this.#now + 1 / this.#weightOf(tenant));
    this.remove(item);
    return item;
  }

  /** Takes everybody out. */
  clear(): T[] {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#size = 0;
    return all;
  }

  #nextTenant(): string | undefined {
    let best: string | undefined;
    for (const tenant of this.#waiting.keys()) {
      if (best === undefined || this.#passOf(tenant) < this.#passOf(best)) best = tenant;
    }
    return best;
  }

  /** Never behind the present: having been away earns nothing. */
  #passOf(tenant: string): number {
    return Math.max(this.#pass.get(tenant) ?? 0, this.#now);
  }

  /**
   * A tenant without waiters keeps its pass while that lies ahead, or it could come back at once and be served again before
   * others; a pass that the present has reached means nothing any more.
   */
  #rest(tenant: string): void {
    this.#waiting.delete(tenant);
    for (const [other, pass] of this.#pass) {
      if (pass <= this.#now && !this.#waiting.has(other)) this.#pass.delete(other);
    }
  }
}
