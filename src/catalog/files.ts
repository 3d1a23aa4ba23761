import type { CatalogStore } from '../contracts/catalog-store.ts';
import type { FileStore, OpenFile } from '../contracts/file-store.ts';
import type { Host } from '../contracts/host.ts';
import type { FileDefinition } from '../definitions/file.ts';
import type { Kept, KeptPage } from '../definitions/kept.ts';
import type { SessionResource } from '../definitions/session.ts';
import { errorText, RoundhouseError } from '../errors.ts';
import { newFileId } from '../events/ids.ts';
import type { Logger } from '../telemetry/telemetry.ts';
import { wallClockMs } from '../time/clock.ts';
import { Documents, type ListQuery } from './documents.ts';
import { FileExpiry, isExpired } from './file-expiry.ts';
import { FileQuota, type FileLimits } from './file-quota.ts';

/** Documents that are read at once when the server starts. */
const PAGE = 1_000;

export interface FilesParts {
  readonly store: CatalogStore;
  readonly bytes: FileStore;
  readonly host: Pick<Host, 'placeFiles'>;
  readonly limits: FileLimits;
  readonly log: Logger;
}

/** What a file is besides its bytes. */
export interface FileDescription extends Pick<FileDefinition, 'name' | 'mimeType'> {
  /** How long its bytes are kept, from the end of the upload; null: until it is deleted. */
  readonly expiresInMs: number | null;
}

/** A workspace that files are to stand in. */
export interface FilesWorkspace {
  readonly path: string;
  /** Whether it was made for the session, and goes with it. */
  readonly own: boolean;
}

/**
 * Files that clients have sent: a document each, and its bytes. Bytes come before their document and go after it, so that
 * what was acknowledged is whole; what lies between when the server dies goes at the next start. Another tenant's files are
 * `not_found`; every method rejects with `storage_failed` too.
 */
export class Files {
  readonly #store: CatalogStore;
  readonly #bytes: FileStore;
  readonly #host: FilesParts['host'];
  readonly #limits: FileLimits;
  readonly #log: Logger;
  readonly #documents: Documents<'file'>;
  readonly #quota: FileQuota;
  readonly #expiry = new FileExpiry();

  constructor({ store, bytes, host, limits, log }: FilesParts) {
    this.#store = store;
    this.#bytes = bytes;
    this.#host = host;
    this.#limits = limits;
    this.#log = log;
    this.#documents = new Documents({ store, kind: 'file', mintId: newFileId });
    this.#quota = new FileQuota(limits);
  }

  /** Reads which files there are, and removes bytes that belong to none. Call once, before anything else. */
  async recover(): Promise<void> {
    await this.#sweep(await this.#load());
  }

  /**
   * Keeps a file. `describe` is asked when all bytes are there, because a request may tell the rest behind them; when it
   * rejects, or anything else does, nothing is kept. `payload_too_large`, `storage_quota_exceeded`, as soon as it shows.
   */
  async create(
    tenant: string,
    source: AsyncIterable<Uint8Array>,
    describe: () => Promise<FileDescription>,
  ): Promise<Kept<FileDefinition>> {
    const id = newFileId();
    let bytes = 0;
    const take = (piece: Uint8Array): void => {
      this.#quota.take(tenant, { files: 0, bytes: piece.byteLength });
      bytes += piece.byteLength;
    };
    this.#quota.take(tenant, { files: 1, bytes: 0 });
    try {
      const written = await this.#bytes.write(id, eachOf(source, take), this.#limits.maxFileBytes);
      const { name, mimeType, expiresInMs } = await describe();
      const expiresAt =
        expiresInMs === null ? null : new Date(wallClockMs() + expiresInMs).toISOString();
      const kept = await this.#documents.create(
        tenant,
        { name, mimeType, ...written, expiresAt },
        id,
      );
      this.#expireInTime(tenant, kept);
      return kept;
    } catch (error) {
      this.#quota.giveBack(tenant, { files: 1, bytes });
      await this.#discard(id);
      throw error;
    }
  }

  get(tenant: string, id: string): Promise<Kept<FileDefinition>> {
    return this.#documents.get(tenant, id);
  }

  list(tenant: string, query: ListQuery): Promise<KeptPage<FileDefinition>> {
    return this.#documents.list(tenant, query);
  }

  /** Whether there is such a file, with its bytes. */
  async has(tenant: string, id: string): Promise<boolean> {
    const file = await this.#store.get(this.#documents.key(tenant, id));
    return file !== undefined && !isExpired(file.body.expiresAt);
  }

  /** A file with its bytes, which the caller reads or closes. `file_expired`. */
  async open(
    tenant: string,
    id: string,
  ): Promise<{ readonly file: Kept<FileDefinition>; readonly bytes: OpenFile }> {
    const file = await this.#readable(tenant, id);
    const bytes = await this.#bytes.open(id);
    if (bytes?.sizeBytes === file.body.sizeBytes) return { file, bytes };
    await bytes?.close();
    // A deletion may have come between the two.
    await this.#readable(tenant, id);
    throw new RoundhouseError(
      'storage_failed',
      `The bytes of the file ${id} are damaged: expected ${file.body.sizeBytes}, got ${bytes?.sizeBytes ?? 0}. Send the file again; the operator may find out what changed the data directory.`,
    );
  }

  /** A file with all its bytes in memory. `payload_too_large` when there are more than `maxBytes`; `file_expired`. */
  async read(
    tenant: string,
    id: string,
    maxBytes: number,
  ): Promise<{ readonly file: Kept<FileDefinition>; readonly bytes: Uint8Array }> {
    const { file, bytes } = await this.open(tenant, id);
    try {
      const { sizeBytes } = file.body;
      if (sizeBytes > maxBytes) {
        throw new RoundhouseError(
          'payload_too_large',
          `The file ${id} is too large for this use: expected at most ${maxBytes} bytes, got ${sizeBytes}. Send a smaller one.`,
        );
      }
      const whole = new Uint8Array(sizeBytes);
      let at = 0;
      for await (const piece of bytes) {
        whole.set(piece, at);
        at += piece.byteLength;
      }
      return { file, bytes: whole };
    } finally {
      await bytes.close();
    }
  }

  /**
   * Puts copies of files into a workspace, all or none; what happens to the files later does not touch them. A workspace
   * that is not the session's own is `unsupported_field`: it is somebody's project. `invalid_request` as
   * {@link Host.placeFiles} has it, `file_expired`.
   */
  async place(
    tenant: string,
    resources: readonly Pick<SessionResource, 'file_id' | 'mount_path'>[],
    { path, own }: FilesWorkspace,
  ): Promise<void> {
    if (resources.length === 0) return;
    if (!own) {
      throw new RoundhouseError(
        'unsupported_field',
        'resources: files can be mounted only where the environment gives each session a workspace of its own, fresh or a clone; in a folder of yours, put them there yourself',
      );
    }
    for (const { file_id: id } of resources) await this.#readable(tenant, id);
    await this.#host.placeFiles(
      path,
      resources.map(({ file_id: id, mount_path: mountPath }, index) => ({
        mountPath,
        field: `resources.${index}.mount_path`,
        open: async () => (await this.open(tenant, id)).bytes,
      })),
    );
  }

  /** Removes a file with its bytes. */
  async remove(tenant: string, id: string): Promise<void> {
    const { body } = await this.#documents.get(tenant, id);
    await this.#documents.remove(tenant, id);
    const hadBytes = body.expiresAt === null || this.#expiry.forget(id);
    this.#quota.giveBack(tenant, { files: 1, bytes: hadBytes ? body.sizeBytes : 0 });
    await this.#discard(id);
  }

  /** Ends what goes on in the background. */
  close(): void {
    this.#expiry.close();
  }

  /** Counts all files; the ids of those that have bytes. */
  async #load(): Promise<Set<string>> {
    const withBytes = new Set<string>();
    let after: string | null | undefined;
    while (after !== null) {
      const { items, damaged, next } = await this.#store.listAll('file', { limit: PAGE, after });
      // There may be a backup of what they are; there is none of these bytes.
      for (const id of damaged) withBytes.add(id);
      for (const { tenant, document } of items) {
        const gone = isExpired(document.body.expiresAt);
        this.#quota.add(tenant, { files: 1, bytes: gone ? 0 : document.body.sizeBytes });
        if (gone) continue;
        withBytes.add(document.id);
        this.#expireInTime(tenant, document);
      }
      after = next;
    }
    return withBytes;
  }

  /** Bytes without a document: an upload or a deletion that the death of a server cut off, or a time that has passed. */
  async #sweep(withBytes: ReadonlySet<string>): Promise<void> {
    let removed = 0;
    for (const id of await this.#bytes.ids()) {
      if (withBytes.has(id)) continue;
      await this.#discard(id);
      removed += 1;
    }
    if (removed > 0) this.#log.info('file_leftovers_removed', { removed });
  }

  #expireInTime(tenant: string, { id, body }: Kept<FileDefinition>): void {
    if (body.expiresAt === null) return;
    this.#expiry.add(id, body.expiresAt, () => {
      this.#quota.giveBack(tenant, { files: 0, bytes: body.sizeBytes });
      void this.#discard(id);
    });
  }

  async #readable(tenant: string, id: string): Promise<Kept<FileDefinition>> {
    const file = await this.#documents.get(tenant, id);
    const { expiresAt } = file.body;
    if (!isExpired(expiresAt)) return file;
    throw new RoundhouseError(
      'file_expired',
      `The file ${id} expired at ${expiresAt}, its bytes are gone; send it again.`,
    );
  }

  /** What can't be removed now is removed at the next start. */
  async #discard(id: string): Promise<void> {
    try {
      await this.#bytes.remove(id);
    } catch (error) {
      this.#log.error('file_bytes_left', { fileId: id, error: errorText(error) });
    }
  }
}

/** The pieces of `source`, each of which `look` has seen, and may have thrown for. */
async function* eachOf(
  source: AsyncIterable<Uint8Array>,
  look: (piece: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    look(piece);
    yield piece;
  }
}
