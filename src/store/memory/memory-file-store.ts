import type { FileStore, OpenFile, WrittenFile } from '../../contracts/file-store.ts';
import { checkFileId, FileMeter } from '../file-meter.ts';

/** A {@link FileStore} that lives and ends with the process, for tests. */
export class MemoryFileStore implements FileStore {
  readonly #files = new Map<string, readonly Uint8Array[]>();

  async write(
    id: string,
    source: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<WrittenFile> {
    checkFileId(id);
    const meter = new FileMeter(maxBytes);
    const pieces: Uint8Array[] = [];
    for await (const piece of source) {
      meter.add(piece);
      pieces.push(Uint8Array.from(piece));
    }
    this.#files.set(id, pieces);
    return meter.total();
  }

  async open(id: string): Promise<OpenFile | undefined> {
    checkFileId(id);
    const pieces = this.#files.get(id);
    return pieces === undefined ? undefined : new MemoryFile(pieces);
  }

  async remove(id: string): Promise<void> {
    checkFileId(id);
    this.#files.delete(id);
  }

  async ids(): Promise<string[]> {
    return [...this.#files.keys()];
  }
}

class MemoryFile implements OpenFile {
  readonly sizeBytes: number;
  #pieces: readonly Uint8Array[];

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
    this.sizeBytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  async close(): Promise<void> {
    this.#pieces = [];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (let piece = this.#pieces.at(0); piece !== undefined; piece = this.#pieces.at(0)) {
      this.#pieces = this.#pieces.slice(1);
      yield Uint8Array.from(piece);
    }
  }
}
