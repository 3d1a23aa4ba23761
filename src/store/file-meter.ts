import { createHash } from 'node:crypto';
import type { WrittenFile } from '../contracts/file-store.ts';
import { RoundhouseError } from '../errors.ts';

/** Ids that a file store takes: nothing else can name a file, or lead out of a folder. */
const OWN_ID = /^[A-Za-z0-9_-]{1,100}$/;

/** Whether we could have minted it. */
export function isFileId(id: string): boolean {
  return OWN_ID.test(id);
}

/** Throws `internal` for an id that we did not mint. */
export function checkFileId(id: string): void {
  if (isFileId(id)) return;
  throw new RoundhouseError('internal', `Bytes can't be kept under ${JSON.stringify(id)}.`);
}

/** Weighs the pieces of a file on their way to a store. */
export class FileMeter {
  readonly #maxBytes: number;
  readonly #hash = createHash('sha256');
  #sizeBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Notes one more piece; `payload_too_large` when it is one too many. */
  add(piece: Uint8Array): void {
    this.#sizeBytes += piece.byteLength;
    if (this.#sizeBytes > this.#maxBytes) {
      throw new RoundhouseError(
        'payload_too_large',
        `The file is too large: expected at most ${this.#maxBytes} bytes (files.maxFileBytes), got more. Send a smaller one, or ask the operator to raise the limit.`,
      );
    }
    this.#hash.update(piece);
  }

  /** Call once, at the end. */
  total(): WrittenFile {
    return { sizeBytes: this.#sizeBytes, sha256: this.#hash.digest('hex') };
  }
}
