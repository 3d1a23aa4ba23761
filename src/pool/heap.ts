/** Where an item stands, and by what. */
interface Entry<T> {
  readonly item: T;
  key: number;
  /** Later ones of the same key come behind earlier ones. */
  order: number;
  place: number;
}

/**
 * Items by a number, the least first: a binary heap that knows where each item stands, so that one can be moved or taken out
 * from the middle. Every change costs the logarithm of the size; looking at the first costs nothing.
 */
export class Heap<T> {
  readonly #entries: Entry<T>[] = [];
  readonly #byItem = new Map<T, Entry<T>>();
  #lastOrder = 0;

  get size(): number {
    return this.#entries.length;
  }

  get first(): T | undefined {
    return this.#entries[0]?.item;
  }

  /** Puts an item in, or moves it if it is there with another key. */
  set(item: T, key: number): void {
    const known = this.#byItem.get(item);
    if (known?.key === key) return;
    this.#lastOrder += 1;
    const entry = known ?? { item, key, order: 0, place: this.#entries.length };
    entry.key = key;
    entry.order = this.#lastOrder;
    this.#byItem.set(item, entry);
    this.#settle(entry);
  }

  /** Nothing happens when it is not there. */
  delete(item: T): void {
    const entry = this.#byItem.get(item);
    if (entry === undefined) return;
    this.#byItem.delete(item);
    const last = this.#entries.pop();
    if (last === undefined || last === entry) return;
    last.place = entry.place;
    this.#settle(last);
  }

  /** Moves an entry from the place that it claims to the one that it belongs to: up, or else down. */
  #settle(entry: Entry<T>): void {
    let { place } = entry;
    let above = this.#above(place);
    while (above !== undefined && comesBefore(entry, above)) {
      const freed = above.place;
      this.#put(above, place);
      place = freed;
      above = this.#above(place);
    }
    let below = this.#leastBelow(place);
    while (below !== undefined && comesBefore(below, entry)) {
      const freed = below.place;
      this.#put(below, place);
      place = freed;
      below = this.#leastBelow(place);
    }
    this.#put(entry, place);
  }

  #above(place: number): Entry<T> | undefined {
    return place === 0 ? undefined : this.#entries[(place - 1) >> 1];
  }

  #leastBelow(place: number): Entry<T> | undefined {
    const left = this.#entries[2 * place + 1];
    const right = this.#entries[2 * place + 2];
    return left === undefined || (right !== undefined && comesBefore(right, left)) ? right : left;
  }

  #put(entry: Entry<T>, place: number): void {
    this.#entries[place] = entry;
    entry.place = place;
  }
}

function comesBefore<T>(entry: Entry<T>, than: Entry<T>): boolean {
  return entry.key === than.key ? entry.order < than.order : entry.key < than.key;
}
