import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { FileStore, OpenFile } from '../../src/contracts/file-store.ts';
import { failsWith } from './session-samples.ts';

/** An opened store; `reopen` opens what it kept, and is absent where nothing is kept. */
export interface OpenedFiles {
  readonly store: FileStore;
  readonly reopen?: () => Promise<FileStore>;
}

const ID = 'file_00000000000000000000000a';
const OTHER = 'file_00000000000000000000000b';
const NO_LIMIT = 2 ** 40;

/** Pieces as a stream gives them; `over` is called when nobody reads on, for whatever reason. */
export async function* pieces(
  parts: readonly (string | Uint8Array)[],
  over: () => void = () => {},
): AsyncGenerator<Uint8Array> {
  try {
    for (const part of parts) yield typeof part === 'string' ? Buffer.from(part) : part;
  } finally {
    over();
  }
}

async function* brokenSource(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('the first half');
  throw new Error('The client has left.');
}

/** Everything that can be read. */
export async function contentOf(file: OpenFile | undefined): Promise<Buffer> {
  if (file === undefined) throw new Error('There are no bytes.');
  const parts: Uint8Array[] = [];
  for await (const part of file) parts.push(part);
  return Buffer.concat(parts);
}

/** What every {@link FileStore} must do. `open` gives an empty store, and clears away after the test by itself. */
export function describeFileStore(name: string, open: () => Promise<OpenedFiles>): void {
  describe(`${name} as a file store`, () => {
    let store: FileStore;
    let reopen: OpenedFiles['reopen'];

    beforeEach(async () => {
      ({ store, reopen } = await open());
    });

    it('gives back the bytes that it was given, with their size and hash', async () => {
      const bytes = Buffer.alloc(300_000, 'roundhouse \0\u00ff', 'latin1');
      const sent = pieces([bytes.subarray(0, 1), bytes.subarray(1, 1), bytes.subarray(1)]);
      expect(await store.write(ID, sent, NO_LIMIT)).toEqual({
        sizeBytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      });
      const file = await store.open(ID);
      expect(file?.sizeBytes).toBe(bytes.length);
      expect((await contentOf(file)).equals(bytes)).toBe(true);
    });

    it('keeps a file without bytes', async () => {
      expect(await store.write(ID, pieces([]), 0)).toMatchObject({ sizeBytes: 0 });
      expect(await contentOf(await store.open(ID))).toHaveLength(0);
    });

    it('keeps what it was given when the piece is used again', async () => {
      const piece = Buffer.from('one');
      const source = async function* (): AsyncGenerator<Uint8Array> {
        yield piece;
        piece.write('two');
        yield piece;
      };
      await store.write(ID, source(), NO_LIMIT);
      expect((await contentOf(await store.open(ID))).toString()).toBe('onetwo');
    });

    it('takes as many bytes as it may and not one more, and tells the source', async () => {
      expect(await store.write(ID, pieces(['12', '345']), 5)).toMatchObject({ sizeBytes: 5 });
      let left = 0;
      const sent = pieces(['123', '456', '789'], () => (left += 1));
      await expect(store.write(OTHER, sent, 5)).rejects.toThrow(failsWith('payload_too_large'));
      expect(left).toBe(1);
      expect(await store.open(OTHER)).toBeUndefined();
      expect(await store.ids()).toEqual([ID]);
    });

    it('leaves nothing of a source that fails, and fails with its reason', async () => {
      await expect(store.write(ID, brokenSource(), NO_LIMIT)).rejects.toThrow(
        'The client has left.',
      );
      expect(await store.open(ID)).toBeUndefined();
      expect(await store.ids()).toEqual([]);
      await store.write(ID, pieces(['whole']), NO_LIMIT);
      expect((await contentOf(await store.open(ID))).toString()).toBe('whole');
    });

    it('shows nothing of a file before it is there in full', async () => {
      const seen: unknown[] = [];
      const source = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from('a');
        seen.push(await store.open(ID));
        yield Buffer.from('b');
      };
      await store.write(ID, source(), NO_LIMIT);
      expect(seen).toEqual([undefined]);
    });

    it('lists what is there, and removes it, once or twice', async () => {
      await store.write(ID, pieces(['a']), NO_LIMIT);
      await store.write(OTHER, pieces(['b']), NO_LIMIT);
      expect((await store.ids()).toSorted()).toEqual([ID, OTHER]);
      await store.remove(ID);
      await store.remove(ID);
      expect(await store.open(ID)).toBeUndefined();
      expect(await store.ids()).toEqual([OTHER]);
      expect((await contentOf(await store.open(OTHER))).toString()).toBe('b');
    });

    it('lets who has opened a file read it to the end after its removal', async () => {
      await store.write(ID, pieces(['still ', 'here']), NO_LIMIT);
      const file = await store.open(ID);
      await store.remove(ID);
      expect((await contentOf(file)).toString()).toBe('still here');
    });

    it('can be closed before, while and after it is read', async () => {
      await store.write(ID, pieces(['a'.repeat(100_000), 'b']), NO_LIMIT);
      const never = await store.open(ID);
      await never?.close();
      await never?.close();
      const partly = await store.open(ID);
      for await (const piece of partly ?? []) {
        expect(piece.byteLength).toBeGreaterThan(0);
        break;
      }
      await partly?.close();
      const whole = await store.open(ID);
      await contentOf(whole);
      await whole?.close();
    });

    it('takes no id that could be anything but a name', async () => {
      for (const id of ['', '.', '..', '../x', 'a/b', 'a.part', '/etc/passwd', 'a\0', 'é']) {
        const internal = failsWith('internal');
        await expect(store.write(id, pieces([]), 1)).rejects.toThrow(internal);
        await expect(store.open(id)).rejects.toThrow(internal);
        await expect(store.remove(id)).rejects.toThrow(internal);
      }
    });

    it('keeps everything over a restart', async ({ skip }) => {
      if (reopen === undefined) return skip('What is in memory ends with the process.');
      await store.write(ID, pieces(['a']), NO_LIMIT);
      const again = await reopen();
      expect(await again.ids()).toEqual([ID]);
      expect((await contentOf(await again.open(ID))).toString()).toBe('a');
      return undefined;
    });
  });
}
