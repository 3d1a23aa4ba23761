import { RoundhouseError } from '../errors.ts';

/** What files may take; each key for itself. */
export interface FileLimits {
  /** Of one file. */
  readonly maxFileBytes: number;
  /** Of all files of a key. */
  readonly maxKeyBytes: number;
  readonly maxKeyFiles: number;
}

/** Files, and what they hold on disk. */
export interface FileAmount {
  readonly files: number;
  readonly bytes: number;
}

const NONE: FileAmount = { files: 0, bytes: 0 };

/** What the files of each key take, uploads that are under way included. */
export class FileQuota {
  readonly #limits: FileLimits;
  readonly #used = new Map<string, FileAmount>();

  constructor(limits: FileLimits) {
    this.#limits = limits;
  }

  usedBy(tenant: string): FileAmount {
    return this.#used.get(tenant) ?? NONE;
  }

  /** Notes what is there already, whatever the limits are now. */
  add(tenant: string, { files, bytes }: FileAmount): void {
    const used = this.usedBy(tenant);
    this.#used.set(tenant, { files: used.files + files, bytes: used.bytes + bytes });
  }

  /** Takes some of what the key may have. `storage_quota_exceeded`, and nothing is taken, when that is too much. */
  take(tenant: string, more: FileAmount): void {
    const used = this.usedBy(tenant);
    const { maxKeyFiles, maxKeyBytes } = this.#limits;
    if (used.files + more.files > maxKeyFiles) {
      throw exceeded(
        `expected at most ${maxKeyFiles} files of this key (files.maxKeyFiles), it has ${used.files}`,
      );
    }
    if (used.bytes + more.bytes > maxKeyBytes) {
      throw exceeded(
        `expected at most ${maxKeyBytes} bytes in all files of this key (files.maxKeyBytes), it has ${used.bytes}, uploads that are under way included, and this file is larger than the rest`,
      );
    }
    this.add(tenant, more);
  }

  /** Gives back what was taken or added. */
  giveBack(tenant: string, { files, bytes }: FileAmount): void {
    const used = this.usedBy(tenant);
    const left = { files: used.files - files, bytes: used.bytes - bytes };
    if (left.files === 0 && left.bytes === 0) this.#used.delete(tenant);
    else this.#used.set(tenant, left);
  }
}

function exceeded(text: string): RoundhouseError {
  return new RoundhouseError(
    'storage_quota_exceeded',
    `There is no room for the file: ${text}. Delete files that are not needed any more, or ask the operator to raise the limit.`,
  );
}
