const EVENT_END = Buffer.from('\n\n');
const LINE_FEED = 0x0a;

/** Counts the events of a stream by their ends, also one that two chunks share. An event's data has no empty line. */
export class EventCounter {
  #count = 0;
  #endsInLineFeed = false;

  get count(): number {
    return this.#count;
  }

  add(chunk: Buffer): void {
    if (chunk.length === 0) return;
    if (this.#endsInLineFeed && chunk[0] === LINE_FEED) this.#count += 1;
    for (let at = chunk.indexOf(EVENT_END); at >= 0; at = chunk.indexOf(EVENT_END, at + 2)) {
      this.#count += 1;
    }
    // The line feed that completed an event is not the first half of another end.
    this.#endsInLineFeed = chunk.at(-1) === LINE_FEED && chunk.at(-2) !== LINE_FEED;
  }
}
