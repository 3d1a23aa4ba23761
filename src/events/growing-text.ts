/** Pieces that are kept apart before they become one string. */
const MAX_PIECES = 64;

/**
 * A text that grows by a few characters at a time. `text += piece` would keep a node of 32 bytes for every piece until
 * somebody reads the whole, and with many long streams the garbage collector copies them again and again.
 */
export class GrowingText {
  readonly #parts: string[] = [];
  #pieces: string[] = [];
  #length = 0;

  /** In UTF-16 code units. */
  get length(): number {
    return this.#length;
  }

  add(piece: string): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.#pieces.length < MAX_PIECES) return;
    this.#parts.push(this.#pieces.join(''));
    this.#pieces = [];
  }

  /** The whole. It costs what copying it costs. */
  toString(): string {
    return this.#parts.join('') + this.#pieces.join('');
  }
}
