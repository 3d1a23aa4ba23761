/**
 * A map by tenant and name. Two levels, because a text made of both would have to be built and hashed anew for every
 * look-up, which was a fifth of what giving out a session costs.
 */
export class NameMap<V> {
  readonly #tenants = new Map<string, Map<string, V>>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(tenant: string, name: string): V | undefined {
    return this.#tenants.get(tenant)?.get(name);
  }

  set(tenant: string, name: string, value: V): void {
    let names = this.#tenants.get(tenant);
    if (names === undefined) this.#tenants.set(tenant, (names = new Map()));
    const before = names.size;
    names.set(name, value);
    this.#size += names.size - before;
  }

  delete(tenant: string, name: string): void {
    const names = this.#tenants.get(tenant);
    if (names?.delete(name) !== true) return;
    this.#size -= 1;
    if (names.size === 0) this.#tenants.delete(tenant);
  }

  *values(): Generator<V, void, undefined> {
    for (const names of this.#tenants.values()) yield* names.values();
  }
}
